//! Ctrl-C, and the signals that ask for the same: SIGTERM from a pipeline that is cancelled, SIGHUP from a terminal that
//! goes away. None is lost while nobody listens.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::{commands::Failure, exit::Exit, switchover::driver::Interrupts};

/// Each signal once, in order.
#[derive(Debug)]
pub(in crate::commands) struct Signals(UnboundedReceiver<()>);

impl Signals {
    /// From now on these signals no longer end the process.
    ///
    /// # Errors
    /// Where the system does not let them be listened to.
    pub(in crate::commands) fn listen() -> Result<Self, Failure> {
        let (sender, receiver) = unbounded_channel();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let mut stream = signal(kind)
                .map_err(|e| Failure::with(Exit::Fault, format!("cannot listen to Ctrl-C: {e}")))?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self(receiver))
    }
}

impl Interrupts for Signals {
    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The tasks that send live as long as the runtime.
            std::future::pending::<()>().await;
        }
    }
}
