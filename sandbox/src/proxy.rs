//! A TCP endpoint in front of a server, with faults on command.
//!
//! It stands for the DNS name of an RDS endpoint: clients keep the address while the server behind it changes. It can
//! delay, throttle, silence, half-close, cut and refuse connections, and it counts what passes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::pg::Port;

/// What happens to connections, those that are open and new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes pass, each one `latency` after it came, at no more than `bytes_per_second` a direction and connection.
    Pass {
        /// Each way; a round trip takes twice as long.
        latency: Duration,
        /// `None` for no limit.
        bytes_per_second: Option<u64>,
    },
    /// Connections are accepted and held, and nothing passes, as when a network drops every packet. What was sent
    /// meanwhile passes when the mode changes.
    BlackHole,
    /// The proxy closes its sending side towards the client and goes on reading from it.
    HalfClosed,
    /// The port is closed: new connections are refused; those that are open go on.
    Refuse,
}

impl Mode {
    /// Everything passes at once.
    pub const fn open() -> Self {
        Self::Pass {
            latency: Duration::ZERO,
            bytes_per_second: None,
        }
    }

    /// Everything passes this much later, each way.
    pub const fn delayed(latency: Duration) -> Self {
        Self::Pass {
            latency,
            bytes_per_second: None,
        }
    }
}

/// What has passed since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes from clients.
    pub from_clients: u64,
    /// Bytes from servers.
    pub from_servers: u64,
    /// How often a client spoke after the server had, or first: the round trips of a protocol in which the client
    /// waits, and less than its messages if it sends several at once.
    pub round_trips: u64,
}

/// A running endpoint. Clones are handles to the same one; it closes when the last is dropped.
#[derive(Debug, Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    addr: SocketAddr,
    /// Put aside for as long as the endpoint lives, unless the address was given.
    _port: Option<Port>,
    listener: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    mode: watch::Sender<Mode>,
    /// Counts the cuts; connections end when it changes.
    cuts: watch::Sender<u64>,
    /// Whether the port is open, which follows the mode.
    listening: watch::Sender<bool>,
    accepted: AtomicU64,
    open: AtomicU64,
    from_clients: AtomicU64,
    from_servers: AtomicU64,
    round_trips: AtomicU64,
}

impl Proxy {
    /// Opens a port on the loopback interface whose connections go to `target`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let (port, listener) = loop {
            let port = Port::reserve().map_err(io::Error::other)?;
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).await {
                Ok(listener) => break (port, listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        };
        let addr = (Ipv4Addr::LOCALHOST, port.number()).into();
        Ok(Self::run(listener, addr, Some(port), target))
    }

    /// Opens this address, which must be one of the loopback interface: two endpoints can so share a port.
    ///
    /// # Errors
    /// When the address is taken, or not one of this machine.
    pub async fn start_at(addr: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        Ok(Self::run(listener, addr, None, target))
    }

    fn run(listener: TcpListener, addr: SocketAddr, port: Option<Port>, target: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            mode: watch::Sender::new(Mode::open()),
            cuts: watch::Sender::new(0),
            listening: watch::Sender::new(true),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            from_clients: AtomicU64::new(0),
            from_servers: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
        });
        let listener = tokio::spawn(listen(listener, addr, Arc::clone(&shared)));
        Self {
            inner: Arc::new(Inner {
                shared,
                addr,
                _port: port,
                listener,
            }),
        }
    }

    /// Where clients connect. It never changes.
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr
    }

    /// Where new connections go.
    pub fn target(&self) -> SocketAddr {
        *self
            .inner
            .shared
            .target
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends new connections elsewhere; those that are open stay where they are.
    pub fn set_target(&self, target: SocketAddr) {
        *self
            .inner
            .shared
            .target
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// The mode that holds now.
    pub fn mode(&self) -> Mode {
        *self.inner.shared.mode.borrow()
    }

    /// Changes the mode for open and new connections. Returns when the port is open or closed as the mode wants it.
    pub async fn set_mode(&self, mode: Mode) {
        let shared = &self.inner.shared;
        let mut listening = shared.listening.subscribe();
        shared.mode.send_replace(mode);
        // Only a listener that is gone, as in a runtime that shuts down, keeps this from coming true.
        let _ = listening.wait_for(|open| *open == (mode != Mode::Refuse)).await;
    }

    /// Cuts every open connection with a reset.
    pub fn drop_connections(&self) {
        self.inner.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What has passed so far.
    pub fn counters(&self) -> Counters {
        let shared = &self.inner.shared;
        Counters {
            accepted: shared.accepted.load(Ordering::SeqCst),
            open: shared.open.load(Ordering::SeqCst),
            from_clients: shared.from_clients.load(Ordering::SeqCst),
            from_servers: shared.from_servers.load(Ordering::SeqCst),
            round_trips: shared.round_trips.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn listen(listener: TcpListener, addr: SocketAddr, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut listener = Some(listener);
    loop {
        let refuse = *mode.borrow_and_update() == Mode::Refuse;
        if refuse {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(addr).await.ok();
            if listener.is_none() {
                // Somebody took the port meanwhile; it is ours again when they leave.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        }
        shared.listening.send_replace(listener.is_some());
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                shared.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(client, Arc::clone(&shared)));
            },
        }
    }
}

async fn connection(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let cut = tokio::select! {
        _ = cuts.changed() => true,
        served = serve(&mut client, &shared) => served.is_err(),
    };
    if cut {
        // A reset, not an orderly end.
        let _ = client.set_zero_linger();
    }
    drop(client);
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

async fn serve(client: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    passing(&mut shared.mode.subscribe()).await;
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    let turns = Turns {
        shared,
        clients: AtomicBool::new(true),
    };
    tokio::try_join!(
        pump(Direction::FromClient, client_reads, server_writes, &turns),
        pump(Direction::FromServer, server_reads, client_writes, &turns),
    )?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromClient,
    FromServer,
}

impl Direction {
    fn is_closed_by(self, mode: Mode) -> bool {
        self == Self::FromServer && mode == Mode::HalfClosed
    }
}

/// Counts what passes on one connection.
struct Turns<'a> {
    shared: &'a Shared,
    /// Whether what the client says next opens a round trip.
    clients: AtomicBool,
}

impl Turns<'_> {
    fn count(&self, direction: Direction, length: usize) {
        let bytes = u64::try_from(length).unwrap_or(u64::MAX);
        match direction {
            Direction::FromClient => {
                self.shared.from_clients.fetch_add(bytes, Ordering::SeqCst);
                if self.clients.swap(false, Ordering::SeqCst) {
                    self.shared.round_trips.fetch_add(1, Ordering::SeqCst);
                }
            }
            Direction::FromServer => {
                self.shared.from_servers.fetch_add(bytes, Ordering::SeqCst);
                self.clients.store(true, Ordering::SeqCst);
            }
        }
    }
}

/// Carries one direction to its end.
async fn pump(
    direction: Direction,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    turns: &Turns<'_>,
) -> io::Result<()> {
    // Reading and writing apart, so that a latency does not become a limit on what is under way.
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let mut mode = turns.shared.mode.subscribe();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            turns.count(direction, length);
            let due = Instant::now() + latency(*turns.shared.mode.borrow());
            if queue.send((due, buffer[..length].to_vec())).await.is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    };
    let write = async move {
        let mut closed = false;
        loop {
            if !closed && direction.is_closed_by(*mode.borrow_and_update()) {
                to.shutdown().await?;
                closed = true;
            }
            let next = tokio::select! {
                next = queued.recv() => next,
                _ = mode.changed() => continue,
            };
            let Some((due, bytes)) = next else { break };
            passing(&mut mode).await;
            tokio::time::sleep_until(due).await;
            if !closed && !direction.is_closed_by(*mode.borrow()) {
                let now = *mode.borrow();
                write_at_rate(&mut to, &bytes, now).await?;
            }
        }
        if closed { Ok(()) } else { to.shutdown().await }
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

async fn write_at_rate(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], mode: Mode) -> io::Result<()> {
    let Mode::Pass {
        bytes_per_second: Some(rate),
        ..
    } = mode
    else {
        return to.write_all(bytes).await;
    };
    // Twenty pieces a second, or single bytes.
    let piece = usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1);
    for part in bytes.chunks(piece) {
        to.write_all(part).await?;
        tokio::time::sleep(Duration::from_secs_f64(part.len() as f64 / rate.max(1) as f64)).await;
    }
    Ok(())
}

fn latency(mode: Mode) -> Duration {
    match mode {
        Mode::Pass { latency, .. } => latency,
        _ => Duration::ZERO,
    }
}

/// Waits until the mode lets bytes pass.
async fn passing(mode: &mut watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode != Mode::BlackHole).await;
}
