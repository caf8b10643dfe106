//! The world that a switchover happens in: the RDS API, both servers, the clock and the operator.
//!
//! Every call is bounded in time and says in its answer what it could not find out. What was collected last is kept for the
//! end of the run ([`Real::seen`]).

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{
    confirm,
    display::{Display, Stage},
    evidence,
    probe::Probing,
};
use crate::{
    attest::Attestation,
    cli::SwitchoverArgs,
    commands::{self, target},
    edge::{
        blue_lock::BlueLock,
        clock::{self, Steady},
        connect::ConnectSpec,
        probe::Probe,
        rds::{change::Changes, watch::Watch},
        sampler::Sampler,
        terminal::Progress,
    },
    facts::{Fact, Facts, rds::RdsFacts},
    gate,
    model::{Phase, Replication},
    output::{self, View, words::seconds},
    policy::Policy,
    report::{CheckReport, Headline, Report},
    situation::Situation,
    switchover::{
        deployment::{Identity, Look},
        driver::{Reply, World},
        evidence::{Answer, Evidence, LastLook, Open, Readiness},
        history::{Mark, Proof, mark, prove},
        machine::{Config, Event, Notice, State, later},
        moment::{self, LAG_CHECK, LagLine, Moment},
        outage::Outage,
        outcome::{Outcome, Refusal, Verified},
        remark::{Judged, Remark},
        settle::{Lag, Sample},
    },
    verdict::Level,
};

/// Longest time for a full check or a verification.
const CHECK_WITHIN: Duration = Duration::from_secs(300);
/// How long a verification is repeated while the production endpoint does not lead to the new side yet.
const ENDPOINT_FOLLOWS_WITHIN: Duration = Duration::from_secs(60);
/// Time between two of these.
const ENDPOINT_PAUSE: Duration = Duration::from_secs(2);
/// Checks that block as long as the endpoint's name still leads to the old side.
const ENDPOINT_CHECKS: &[&str] = &["version-in-force", "production-writable"];

/// The check after the switchover that needs to read tables.
const SEQUENCES: &str = "sequences-ahead";

/// A report with the facts behind it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) facts: Facts,
    pub(super) report: Report,
}

/// See the module.
pub(super) struct Real<'a> {
    pub(super) args: &'a SwitchoverArgs,
    pub(super) process: &'a commands::World,
    pub(super) policy: Policy,
    pub(super) config: Config,
    pub(super) display: Display,
    pub(super) watch: Watch,
    pub(super) changes: Changes,
    /// What the control plane showed when the run was set up; none where it could not be had (on `--resume`).
    pub(super) servers: Option<Servers>,
    pub(super) card: confirm::Card,
    clock: Steady,
    lock: Mutex<Option<BlueLock>>,
    sampler: Mutex<Option<Sampler>>,
    /// When the last look before the request began.
    looked_at: Cell<Option<Timestamp>>,
    moment: RefCell<Option<Moment>>,
    seen: RefCell<Option<Seen>>,
    /// What the verification will not be able to tell; none as long as nobody looked.
    foreseen: RefCell<Option<Vec<Open>>>,
    /// What RDS and its events said about the attempt, for the explanation.
    texts: RefCell<Vec<String>>,
    /// DDL on blue that was seen while settling.
    ddl: RefCell<Ddl>,
    /// What the run is held to.
    attestation: Option<Attestation>,
    probe: Probing,
    /// For the change record.
    remarks: RefCell<Vec<Remark>>,
}

/// DDL on blue does not reach green: once it was seen, the full check is not true any more.
#[derive(Clone, Debug, Default)]
enum Ddl {
    /// None was seen since the last full check.
    #[default]
    None,
    /// It is running, or ran.
    Seen,
    /// It is over, and another full check did not find both sides alike.
    Harmful(String),
}

/// Both servers as they were when the run was set up.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) blue: ConnectSpec,
    pub(super) green: Option<ConnectSpec>,
    pub(super) rds: RdsFacts,
}

/// What a world is made of.
pub(super) struct Parts<'a> {
    pub(super) args: &'a SwitchoverArgs,
    pub(super) process: &'a commands::World,
    pub(super) policy: Policy,
    pub(super) config: Config,
    pub(super) display: Display,
    pub(super) watch: Watch,
    pub(super) changes: Changes,
    pub(super) servers: Option<Servers>,
    pub(super) card: confirm::Card,
    pub(super) attestation: Option<Attestation>,
    pub(super) probe: Option<Probe>,
}

impl<'a> Real<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Self {
        Self {
            args: parts.args,
            process: parts.process,
            policy: parts.policy,
            config: parts.config,
            display: parts.display,
            watch: parts.watch,
            changes: parts.changes,
            servers: parts.servers,
            card: parts.card,
            clock: Steady::start(),
            lock: Mutex::new(None),
            sampler: Mutex::new(None),
            looked_at: Cell::new(None),
            moment: RefCell::new(None),
            seen: RefCell::new(None),
            foreseen: RefCell::new(None),
            texts: RefCell::new(Vec::new()),
            ddl: RefCell::default(),
            attestation: parts.attestation,
            probe: Probing::new(parts.probe),
            remarks: RefCell::default(),
        }
    }

    /// What the probe measured, once it has ended.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.probe.outage()
    }

    fn remark(&self, seen: &Seen) {
        let view = View {
            report: &seen.report,
            facts: &seen.facts,
            exit: gate::exit(&seen.report),
        };
        let judged = Judged::of(&output::json::report(view));
        self.remarks.borrow_mut().push(Remark::Judged(judged));
    }

    /// Holds what was seen against the attestation, by the policy as it was given: what this command sets in it for itself is
    /// no decision of anybody.
    fn attested(&self, seen: &Seen) -> Result<(), String> {
        let Some(attestation) = &self.attestation else {
            return Ok(());
        };
        attestation
            .matches(&seen.facts, &seen.report, &self.policy, clock::now())
            .map_err(|why| why.to_string())?;
        self.remarks.borrow_mut().push(attestation.remark());
        Ok(())
    }

    /// Holds the last look against the attestation. It has to be good for as long as the request may take to leave.
    async fn still_attested(&self, look: &Look) -> Result<(), String> {
        let (Some(attestation), Look::Found(view)) = (&self.attestation, look) else {
            return Ok(());
        };
        let (blue, green) = match &*self.sampler.lock().await {
            Some(sampler) => sampler.versions().await,
            None => (None, None),
        };
        let until = later(clock::now().max(self.now()), self.config.last_look);
        attestation
            .still(view, blue, green, until)
            .map_err(|why| why.to_string())
    }

    /// The report that was made last, with its facts.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen.borrow().clone()
    }

    /// What RDS said about this attempt, in its own words: status details, and events since the request.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts.borrow().clone()
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.config.identity
    }

    /// Lag as it was at the last look.
    fn lag_lines(&self) -> Vec<LagLine> {
        let moment = self.moment.borrow();
        moment
            .as_ref()
            .map_or_else(Vec::new, |m| m.lines(&self.config.limits))
    }

    fn hear(&self, text: Option<&str>) {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return;
        };
        let mut texts = self.texts.borrow_mut();
        if !texts.iter().any(|known| known == text) {
            texts.push(text.to_owned());
        }
    }

    /// Collects and judges in a phase; the policy is the run's own but for the present time. What the control plane showed when the run
    /// was set up is not used again, however fresh: what is decided on was seen with the lock held.
    pub(super) async fn collect(&self, phase: Phase) -> Result<Seen, String> {
        self.collect_only(phase, &[]).await
    }

    /// The same with only these checks, or with all.
    async fn collect_only(&self, phase: Phase, only: &[String]) -> Result<Seen, String> {
        let begun = clock::now();
        let mut policy = self.policy.clone();
        policy.now = begun;
        policy.only = only.to_vec();
        if phase == Phase::Switchover {
            // Lag is what settling is about, by --max-lag. In the full check it is shown and does not gate.
            policy.levels.entry(LAG_CHECK.to_owned()).or_insert(Level::Notice);
            policy.thresholds.switchover_timeout_seconds = self.config.timeout.as_secs().unsigned_abs();
        }
        let wanted = target::Wanted {
            phase: Some(phase),
            everything: false,
            only,
        };
        let subject = crate::cli::TargetArgs::of_deployment(&self.config.identity.id);
        let databases = match phase {
            Phase::Verify if only.is_empty() => {
                evidence::after_switchover(&self.args.databases, self.production())
            }
            _ => self.args.databases.clone(),
        };
        let progress = Progress::quiet_unless(self.display.is_live());
        let collected = async {
            let found = target::find(&subject, &self.args.aws, &databases, self.process, &progress).await?;
            target::facts(found, &databases, wanted, begun, &progress).await
        };
        let facts = tokio::time::timeout(CHECK_WITHIN, collected).await;
        progress.finish();
        let facts = match facts {
            Ok(Ok(facts)) => facts,
            Ok(Err(failure)) => return Err(failure.message),
            Err(_) => return Err(format!("it took longer than {} s", CHECK_WITHIN.as_secs())),
        };
        let situation = Situation::of(&facts, Some(phase));
        let report = Report::make(&facts, situation, &policy);
        Ok(Seen { facts, report })
    }

    /// What the verification will not be able to tell for want of a right, while the right can still be granted.
    async fn foresee(&self) -> Vec<Open> {
        let Ok(seen) = self.collect_only(Phase::Verify, &[SEQUENCES.to_owned()]).await else {
            return Vec::new();
        };
        let unseen = seen.report.checks.iter().flat_map(|check| &check.unseen);
        let unseen = unseen.filter(|unseen| unseen.waived.is_none());
        let open = unseen.map(|unseen| Open {
            check: SEQUENCES.to_owned(),
            subject: unseen.subject.clone(),
            level: "not verifiable afterwards, which ends in 23".to_owned(),
            message: unseen.why.clone(),
        });
        open.collect()
    }

    /// Host name of the production endpoint, as it was before the switchover.
    fn production(&self) -> Option<&str> {
        self.servers.as_ref().map(|servers| servers.blue.host.as_str())
    }

    async fn held(&self) -> Result<(), String> {
        match &*self.lock.lock().await {
            Some(lock) => lock.held().await,
            None => Err("it was not taken".to_owned()),
        }
    }

    async fn take_sample(&self) -> Sample {
        let look = async {
            match &*self.sampler.lock().await {
                Some(sampler) => Ok(sampler.look().await),
                None => Err("the servers are not known".to_owned()),
            }
        };
        let (lock, answers) = tokio::join!(self.held(), look);
        let (lag, obstacles) = match (answers, self.moment.borrow_mut().as_mut()) {
            (Ok(answers), Some(moment)) => moment.judge(answers, &self.config.limits),
            (Err(why), _) => (Lag::Unknown { why: why.clone() }, vec![why]),
            (Ok(_), None) => {
                let why = "nothing was checked yet".to_owned();
                (Lag::Unknown { why: why.clone() }, vec![why])
            }
        };
        let obstacles = self.after_ddl(obstacles).await;
        Sample { lag, obstacles, lock }
    }

    /// The obstacles, with what DDL on blue left behind: when it is over, both sides are compared once more.
    async fn after_ddl(&self, mut obstacles: Vec<String>) -> Vec<String> {
        if obstacles
            .iter()
            .any(|obstacle| obstacle.ends_with("(running-ddl)"))
        {
            self.ddl.replace(Ddl::Seen);
            return obstacles;
        }
        let known = self.ddl.borrow().clone();
        let found = match known {
            Ddl::None => return obstacles,
            Ddl::Harmful(why) => Some(why),
            Ddl::Seen => {
                self.display
                    .say("DDL ran on blue: comparing both sides once more");
                match self.collect(Phase::Switchover).await {
                    Ok(seen) if seen.report.headline == Headline::Ready => None,
                    Ok(seen) => Some(seen.report.because),
                    Err(why) => Some(why),
                }
            }
        };
        match found {
            None => drop(self.ddl.replace(Ddl::None)),
            Some(why) => {
                obstacles.push(format!("DDL ran on blue after the full check, and now: {why}"));
                self.ddl.replace(Ddl::Harmful(why));
            }
        }
        obstacles
    }

    /// Whether the production endpoint can be reached and leads to the new side, as far as the verification tells. What
    /// fails otherwise will fail again.
    fn endpoint_follows(seen: &Seen) -> bool {
        let reached = seen
            .facts
            .green
            .as_ref()
            .is_some_and(|green| green.known().is_some());
        let elsewhere = |check: &CheckReport| {
            ENDPOINT_CHECKS.contains(&check.id) && (check.open(Level::Blocker) > 0 || check.open_unseen())
        };
        reached && !seen.report.checks.iter().any(elsewhere)
    }
}

impl World for Real<'_> {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, time: SignedDuration) {
        tokio::time::sleep(time.unsigned_abs()).await;
    }

    async fn lock(&self) -> Result<(), Refusal> {
        self.display.stage(Stage::Locking);
        let Some(servers) = &self.servers else {
            return Err(Refusal::LockLost {
                why: "blue's endpoint is not known".to_owned(),
            });
        };
        let lock = BlueLock::take(&servers.blue, &self.config.identity.id).await?;
        *self.lock.lock().await = Some(lock);
        Ok(())
    }

    async fn full_check(&self) -> Evidence {
        self.display.stage(Stage::Checking);
        let at = self.now();
        let known = self.foreseen.borrow().is_some();
        let (seen, foreseen) = tokio::join!(self.collect(Phase::Switchover), async {
            if known { None } else { Some(self.foresee().await) }
        });
        match seen {
            Ok(seen) => {
                let mut evidence = evidence::of(&seen, at, &self.config.identity, &self.policy);
                self.remark(&seen);
                if let Err(why) = self.attested(&seen) {
                    evidence.readiness = Readiness::NotAttested { why };
                }
                let situation = seen.report.situation;
                let mut policy = self.policy.clone();
                policy.thresholds.switchover_timeout_seconds = self.config.timeout.as_secs().unsigned_abs();
                let earlier = self.moment.take();
                self.ddl.replace(Ddl::None);
                *self.moment.borrow_mut() = Some(Moment::on(&seen.facts, situation, &policy, earlier));
                self.display.checked(&seen.report);
                if let Some(open) = foreseen.filter(|_| evidence.readiness == Readiness::Ready) {
                    for open in &open {
                        self.display.say(&format!(
                            "{} will not be judged after the switchover, which then ends in 23: {}: {}",
                            open.check, open.subject, open.message
                        ));
                    }
                    self.foreseen.replace(Some(open));
                }
                self.seen.replace(Some(seen));
                if evidence.readiness == Readiness::Ready {
                    let mut sampler = self.sampler.lock().await;
                    if let (None, Some(servers)) = (&*sampler, &self.servers) {
                        let standby = situation.replication == Some(Replication::Physical);
                        let made =
                            Sampler::new(&servers.blue, servers.green.as_ref(), moment::wanted, standby);
                        made.warm().await;
                        *sampler = Some(made);
                    }
                }
                evidence
            }
            Err(why) => Evidence {
                at,
                readiness: Readiness::NotDetermined { why },
                digest: String::new(),
                open: Vec::new(),
            },
        }
    }

    async fn sample(&self) -> Sample {
        let sample = self.take_sample().await;
        self.display.sampled(&sample, &self.lag_lines());
        sample
    }

    async fn confirm(&self, _digest: &str) -> Reply {
        self.display.pause();
        let mut open = self.foreseen.borrow().clone().unwrap_or_default();
        if let Some(seen) = &*self.seen.borrow() {
            open.extend(evidence::open(&seen.report));
        }
        confirm::ask(&self.card, &open, &self.lag_lines(), &self.config).await
    }

    async fn last_look(&self) -> LastLook {
        self.display.stage(Stage::Looking);
        self.probe.start().await;
        let at = self.now();
        self.looked_at.set(Some(at));
        let (sample, look, messages) = tokio::join!(
            self.take_sample(),
            self.watch.look_for(&self.config.identity),
            self.watch.messages()
        );
        let mark = messages.map_or(Mark::Unknown, |messages| mark(&messages));
        let attested = self.still_attested(&look).await;
        LastLook {
            at,
            sample,
            look,
            mark,
            attested,
        }
    }

    async fn submit(&self, timeout: SignedDuration) -> Answer {
        self.display.stage(Stage::Submitting);
        let (clock, looked_at, limit) = (self.clock.clone(), self.looked_at.get(), self.config.last_look);
        let changes = self.changes.clone().only_while(move || {
            let age = looked_at.map(|at| clock.now().duration_since(at));
            match age {
                Some(age) if age <= limit => Ok(()),
                Some(age) => Err(format!("by then the last look was {} old", seconds(age))),
                None => Err("there was no last look".to_owned()),
            }
        });
        changes
            .switchover(&self.config.identity.id, timeout)
            .await
            .answer()
    }

    async fn describe(&self) -> Look {
        let look = self.watch.look_for(&self.config.identity).await;
        if let Look::Found(view) = &look {
            self.hear(view.details.as_deref());
        }
        self.display.described(&look);
        look
    }

    async fn events(&self, mark: Mark) -> Proof {
        let messages = match self.watch.messages().await {
            Ok(messages) => messages,
            Err(why) => return Proof::Unreadable(why),
        };
        let since = |at: Timestamp| match mark {
            Mark::Newest(newest) => at > newest,
            Mark::Empty => true,
            Mark::Unknown => false,
        };
        for message in messages.iter().filter(|message| since(message.at)) {
            self.hear(Some(&message.text));
        }
        prove(&messages, mark)
    }

    async fn verify(&self) -> Verified {
        self.display.stage(Stage::Verifying);
        let begun = tokio::time::Instant::now();
        loop {
            let seen = self.collect(Phase::Verify).await;
            let late = begun.elapsed() >= ENDPOINT_FOLLOWS_WITHIN;
            match seen {
                Ok(seen) if late || Self::endpoint_follows(&seen) => {
                    let verified = evidence::verified(&seen.report);
                    self.remark(&seen);
                    self.seen.replace(Some(seen));
                    return verified;
                }
                Err(why) if late => {
                    self.seen.replace(None);
                    return Verified::Not { why };
                }
                _ => tokio::time::sleep(ENDPOINT_PAUSE).await,
            }
        }
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.take()
    }

    async fn closing(&self, outcome: &Outcome) {
        let outage = self.probe.end(outcome).await;
        self.probe.show(&self.display);
        if let Some(outage) = outage {
            self.remarks.borrow_mut().push(Remark::Outage(outage));
        }
    }

    fn tell(&self, notice: &Notice) {
        self.display.notice(notice);
    }

    fn progress(&self, event: &Event, state: &State) {
        self.probe.show(&self.display);
        self.display.progress(event, state, &self.config);
    }
}

/// The deployment of the control plane's facts.
pub(super) fn deployment(rds: &RdsFacts) -> Option<&crate::facts::rds::Deployment> {
    match &rds.deployment {
        Fact::Known(deployment) => deployment.as_ref(),
        Fact::Unknown { .. } => None,
    }
}
