//! Reboots and failovers, one by one, each seen through before the next.

use std::{collections::BTreeSet, time::Duration};

use super::{Failure, Tools, taken};
use crate::{
    checks::out_of_sync,
    edge::terminal::{self, Progress},
    exit::Exit,
    facts::rds::Topology,
    model::Arn,
    prepare::{self, Action, Next},
    switchover::evidence::Answer,
};

/// Seconds between two looks at RDS while something is awaited: often at first.
const POLLS: [u64; 4] = [1, 2, 3, 5];
/// How long a change may take until RDS shows it.
const SHOWS_WITHIN: Duration = Duration::from_secs(300);

impl Tools<'_> {
    /// Waits until RDS shows that the changed instances wait for their reboot.
    pub(super) async fn until_shown(&self, arn: &Arn, expected: &BTreeSet<&str>) -> Result<(), Failure> {
        let mut wait = Waiting::new(SHOWS_WITHIN);
        loop {
            let blue = self.topology(arn).await?;
            let states = out_of_sync(&blue);
            let missing = expected
                .iter()
                .find(|id| !states.iter().any(|(is, ..)| is == *id));
            match missing {
                None => return Ok(()),
                Some(id) => {
                    wait.on(&format!("{id}: RDS does not show the change yet"))
                        .await?
                }
            }
        }
    }

    /// One by one, each until it is back and in sync.
    pub(super) async fn reboot(&self, arn: &Arn, forced: &BTreeSet<String>) -> Result<(), Failure> {
        let mut rebooted = BTreeSet::new();
        let mut wait = Waiting::new(self.patience());
        loop {
            let blue = self.topology(arn).await?;
            match prepare::next(&blue, &rebooted, forced) {
                Next::Done => return Ok(()),
                Next::Stuck(why) => return Err(stuck(&why)),
                Next::Wait(why) => wait.on(&why).await?,
                Next::Act(action) => {
                    self.carry_out(arn, &action, forced).await?;
                    if let Action::Reboot { id } = action {
                        rebooted.insert(id);
                    }
                    wait = Waiting::new(self.patience());
                }
            }
        }
    }

    /// Sends one reboot or failover, and waits until it is over.
    async fn carry_out(&self, arn: &Arn, action: &Action, forced: &BTreeSet<String>) -> Result<(), Failure> {
        match self.changes.act(action).await {
            // Whether it took is seen below, or it is stuck.
            Answer::Lost { why } => terminal::say(&format!("{}: no answer ({why})", action.title())),
            answer => taken(action, &answer)?,
        }
        match action {
            Action::Reboot { id } => {
                if forced.contains(id) {
                    self.left(id).await?;
                }
                self.at_rest(arn, |blue| {
                    let waits = out_of_sync(blue).iter().any(|(is, ..)| is == id);
                    waits.then(|| format!("{id} still waits for its reboot"))
                })
                .await?;
            }
            Action::Failover { to, .. } => {
                self.at_rest(arn, |blue| {
                    let writes = blue.writer().is_some_and(|w| w.id == *to);
                    (!writes).then(|| format!("{to} is not the writer yet"))
                })
                .await?;
            }
            _ => {}
        }
        terminal::say(&format!("done: {}", action.title()));
        Ok(())
    }

    /// Waits until an instance of which RDS shows nothing pending is seen to reboot, or has had the time to.
    async fn left(&self, id: &str) -> Result<(), Failure> {
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let found = self.lookout.instance(id).await;
            let found = found.map_err(|e| Failure::blind(e.to_string()))?;
            if found.is_none_or(|i| i.status != "available") {
                break;
            }
        }
        Ok(())
    }

    /// Waits until every instance is at rest and nothing is `missing` any more.
    async fn at_rest(&self, arn: &Arn, missing: impl Fn(&Topology) -> Option<String>) -> Result<(), Failure> {
        let mut wait = Waiting::new(self.patience());
        loop {
            let blue = self.topology(arn).await?;
            match prepare::next(&blue, &BTreeSet::new(), &BTreeSet::new()) {
                Next::Stuck(why) => return Err(stuck(&why)),
                Next::Wait(why) => wait.on(&why).await?,
                Next::Done | Next::Act(_) => match missing(&blue) {
                    Some(why) => wait.on(&why).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn topology(&self, arn: &Arn) -> Result<Topology, Failure> {
        let found = self.lookout.topology(arn, None).await;
        let found = found.map_err(|e| Failure::blind(e.to_string()))?;
        found.ok_or_else(|| Failure::blind(format!("there is no {arn} any more")))
    }

    /// `--wait`.
    fn patience(&self) -> Duration {
        Duration::from_secs(self.args.wait)
    }
}

fn stuck(why: &str) -> Failure {
    Failure::with(Exit::RolledBack, format!("stopped: {why}"))
}

/// Patience with one thing.
struct Waiting {
    left: Duration,
    polls: usize,
    progress: Progress,
}

impl Waiting {
    fn new(most: Duration) -> Self {
        Self {
            left: most,
            polls: 0,
            progress: Progress::start(),
        }
    }

    /// Pauses before the next look.
    ///
    /// # Errors
    /// [`Exit::RolledBack`] once the patience is at its end.
    async fn on(&mut self, what: &str) -> Result<(), Failure> {
        if self.left.is_zero() {
            self.progress.finish();
            return Err(Failure::with(
                Exit::RolledBack,
                format!("stopped after the longest wait: {what}; look at it, and run it again"),
            ));
        }
        self.progress.waiting(what);
        let pause = Duration::from_secs(POLLS[self.polls.min(POLLS.len() - 1)]).min(self.left);
        self.polls += 1;
        tokio::time::sleep(pause).await;
        self.left -= pause;
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.progress.finish();
    }
}
