//! Everything that can happen next in a world.

use std::fmt;

use greenlight::switchover::history::{self, Mark};
use greenlight::switchover::machine::{Answer, Effect, Event, Evidence, Fault, LastLook, Readiness, State};
use greenlight::switchover::outcome::{Refusal, Verified};
use greenlight::switchover::record::Record;

use super::Stage::*;
use super::{BRIEF, Globe, Mutant, Next, Operator, SLOW, Setup, Stage, Truth, Violation, name, now, seconds};

impl Setup {
    /// Everything that can happen next.
    pub(in crate::machine) fn successors(&self, globe: &Globe) -> Vec<Next> {
        let mut out = Successors {
            setup: self,
            from: globe,
            next: vec![],
        };
        out.rds();
        out.console();
        for i in 0..globe.operators.len() {
            out.operator(i);
        }
        out.next
    }
}

struct Successors<'a> {
    setup: &'a Setup,
    from: &'a Globe,
    next: Vec<Next>,
}

impl Successors<'_> {
    fn push(&mut self, label: fmt::Arguments<'_>, globe: Globe) {
        self.checked(label, globe, None);
    }

    fn checked(&mut self, label: fmt::Arguments<'_>, mut globe: Globe, violation: Option<Violation>) {
        let violation = violation.or(globe.broken.take());
        self.next.push(Next {
            label: if self.setup.labels {
                label.to_string()
            } else {
                String::new()
            },
            globe,
            violation,
        });
    }

    /// RDS by itself.
    fn rds(&mut self) {
        let stages: &[Stage] = match self.from.rds.stage {
            Running if self.setup.plain => &[Done, FailedMember],
            Running => &[Half, FailedMember, FailedQuietly, FailedTop],
            Half => &[TopFirst, Done, FailedMember, FailedQuietly, FailedTop, Torn],
            TopFirst => &[Done],
            _ => &[],
        };
        for stage in stages {
            let mut globe = self.from.clone();
            globe.turn(*stage);
            self.push(format_args!("rds: {stage:?}"), globe);
        }
        for n in 0..self.from.rds.late.len() {
            let mut globe = self.from.clone();
            let (whose, until) = globe.rds.late.remove(n);
            if until >= now() && globe.rds.stage.open() && !globe.rds.replaced {
                globe.start(Some(whose));
                self.push(format_args!("rds: the late request of {whose} arrives"), globe);
            } else {
                self.push(
                    format_args!("rds: the late request of {whose} never arrives"),
                    globe,
                );
            }
        }
    }

    /// Somebody else.
    fn console(&mut self) {
        if self.from.budget.console == 0 {
            return;
        }
        let stage = self.from.rds.stage;
        let mut act = |label: &str, f: &dyn Fn(&mut Globe)| {
            let mut globe = self.from.clone();
            globe.budget.console -= 1;
            f(&mut globe);
            self.push(format_args!("console: {label}"), globe);
        };
        if stage.open() {
            act("switches over", &|g| g.start(None));
            act("replaces green", &|g| g.rds.replaced = true);
        }
        if !stage.running() && !matches!(stage, Gone | GoneDone) {
            act("deletes the deployment", &|g| {
                g.turn(if stage.completed() { GoneDone } else { Gone })
            });
        }
    }

    fn operator(&mut self, i: usize) {
        let operator = &self.from.operators[i];
        let Some(state) = &operator.state else {
            return self.restart(i);
        };
        if let State::Done(outcome) = state
            && operator.queue.is_empty()
        {
            if !outcome.is_final() && self.from.budget.resumes > 0 {
                let mut globe = self.from.clone();
                globe.budget.resumes -= 1;
                globe.begin(self.setup, i);
                self.push(format_args!("{i}: --resume"), globe);
            }
            return;
        }
        if *state == State::Start && operator.queue.is_empty() {
            let mut globe = self.from.clone();
            globe.begin(self.setup, i);
            return self.push(format_args!("{i}: begins"), globe);
        }
        if self.from.budget.crashes > 0 {
            let mut globe = self.from.clone();
            globe.budget.crashes -= 1;
            globe.kill(i);
            self.push(format_args!("{i}: CRASH"), globe);
        }
        if self.from.budget.lock > 0 && self.from.lock == Some(i) {
            let mut globe = self.from.clone();
            globe.budget.lock -= 1;
            globe.lock = None;
            globe.lock_lost = true;
            self.push(format_args!("{i}: loses the lock"), globe);
        }
        let Some(effect) = operator.queue.first().cloned() else {
            return self.checked(format_args!("{i}: stuck"), self.from.clone(), Some("stuck"));
        };
        if effect.is_answered() && self.from.budget.interrupts > 0 && !matches!(effect, Effect::Intend(_)) {
            let mut globe = self.from.clone();
            globe.budget.interrupts -= 1;
            globe.interrupt(self.setup, i);
            self.push(format_args!("{i}: Ctrl-C"), globe);
        }
        // A request leaves at once when it may: nobody else's waiting fits in before it.
        let leaving = |o: &Operator| matches!(o.queue.first(), Some(Effect::Submit { .. }));
        if self
            .from
            .operators
            .iter()
            .enumerate()
            .all(|(other, o)| other == i || !leaving(o))
        {
            self.carry_out(i, effect);
        }
    }

    fn restart(&mut self, i: usize) {
        let mut globe = self.from.clone();
        globe.begin(self.setup, i);
        self.push(format_args!("{i}: restarts with --resume"), globe);
    }

    /// The effect at the head of the queue, with every way it can go.
    fn carry_out(&mut self, i: usize, effect: Effect) {
        let mut base = self.from.clone();
        base.operators[i].queue.remove(0);
        match effect {
            Effect::Tell(_) => unreachable!("not queued"),
            Effect::Record(record) => {
                if !base.operators[i].broken {
                    let mut globe = base.clone();
                    globe.operators[i].write(record.clone());
                    globe.finish(i);
                    self.push(format_args!("{i}: writes {}", name(&record)), globe);
                }
                self.fail_to_write(i, &base, &record);
            }
            Effect::Intend(intent) => {
                let record = Record::Intent { at: now(), intent };
                self.fail_to_write(i, &base, &record);
                if base.operators[i].broken {
                    return;
                }
                for interrupted in [false, true] {
                    if interrupted && base.budget.interrupts == 0 {
                        continue;
                    }
                    let mut delays = self.delays();
                    delays.extend((self.from.budget.slow > 0).then_some(BRIEF));
                    for delay in delays {
                        let mut globe = base.clone();
                        globe.operators[i].write(record.clone());
                        globe.pass(delay);
                        if interrupted {
                            globe.budget.interrupts -= 1;
                            globe.interrupt(self.setup, i);
                        }
                        globe.feed(self.setup, i, Event::IntentDurable { at: now() });
                        self.push(
                            format_args!("{i}: intent on disk after {delay} s (Ctrl-C: {interrupted})"),
                            globe,
                        );
                    }
                }
            }
            Effect::Lock => {
                let mut globe = base;
                let event = match globe.lock {
                    Some(other) if other != i && self.setup.mutant != Mutant::LocksDoNotExclude => {
                        Event::LockRefused(Refusal::Locked {
                            holder: other.to_string(),
                        })
                    }
                    _ => {
                        globe.lock = Some(i);
                        Event::Locked { at: now() }
                    }
                };
                let granted = matches!(event, Event::Locked { .. });
                globe.feed(self.setup, i, event);
                self.push(format_args!("{i}: lock, granted: {granted}"), globe);
            }
            Effect::Check => self.check(i, &base),
            Effect::Sample { after } => {
                for delay in self.delays() {
                    for calm in self.calm() {
                        let mut globe = base.clone();
                        globe.pass(after.as_secs() + delay);
                        let sample = globe.sample(self.setup, i, calm);
                        globe.operators[i].truth.observe(&self.setup.config, calm);
                        globe.feed(self.setup, i, Event::Sampled { at: now(), sample });
                        self.push(
                            format_args!("{i}: sample after {after:?}+{delay}, calm: {calm}"),
                            globe,
                        );
                    }
                }
            }
            Effect::Confirm { digest } => {
                for delay in self.delays() {
                    let mut globe = base.clone();
                    globe.pass(delay);
                    globe.operators[i].truth.consent = digest.parse().ok();
                    globe.feed(self.setup, i, Event::Confirmed { at: now() });
                    self.push(format_args!("{i}: confirmed after {delay}"), globe);
                }
                let mut globe = base;
                globe.feed(self.setup, i, Event::Declined);
                self.push(format_args!("{i}: declined"), globe);
            }
            Effect::Look => self.look(i, &base),
            Effect::Submit { .. } => self.submit(i, &base),
            Effect::Describe { after } => {
                let mut base = base;
                base.pass(after.as_secs());
                for (label, budget, look) in base.describe() {
                    let mut globe = base.clone();
                    globe.budget = budget;
                    globe.feed(self.setup, i, Event::Described { at: now(), look });
                    self.push(format_args!("{i}: describes {label}"), globe);
                }
            }
            Effect::Recount { mark } => {
                let mark = if self.setup.mutant == Mutant::TrustsOldEvents {
                    Mark::Empty
                } else {
                    mark
                };
                for (label, budget, proof) in base.recount(mark) {
                    let mut globe = base.clone();
                    globe.budget = budget;
                    globe.feed(self.setup, i, Event::Recounted { at: now(), proof });
                    self.push(format_args!("{i}: recounts {label}"), globe);
                }
            }
            Effect::Verify => {
                for verified in [
                    Verified::Clean,
                    Verified::Problems {
                        failed: 1,
                        unknown: 0,
                    },
                ] {
                    let mut globe = base.clone();
                    globe.feed(self.setup, i, Event::Verified(verified));
                    self.push(format_args!("{i}: verified"), globe);
                }
            }
        }
    }

    fn delays(&self) -> Vec<i64> {
        if self.from.budget.slow > 0 {
            vec![0, SLOW]
        } else {
            vec![0]
        }
    }

    fn calm(&self) -> Vec<bool> {
        if self.setup.plain {
            vec![true]
        } else {
            vec![true, false]
        }
    }

    fn fail_to_write(&mut self, i: usize, base: &Globe, record: &Record) {
        let broken = base.operators[i].broken;
        if !broken && base.budget.disk == 0 {
            return;
        }
        for written in [false, true] {
            if broken && written {
                continue;
            }
            let mut globe = base.clone();
            globe.budget.disk -= u8::from(!broken);
            globe.operators[i].broken = true;
            if written {
                globe.operators[i].write(record.clone());
            }
            globe.feed(self.setup, i, Event::JournalFailed { why: "full".into() });
            self.push(
                format_args!("{i}: fails to write {} (on disk: {written})", name(record)),
                globe,
            );
        }
    }

    fn check(&mut self, i: usize, base: &Globe) {
        let before = base.operators[i]
            .truth
            .evidence
            .map_or(0, |(_, _, digest)| digest);
        for delay in self.delays() {
            for (readiness, change) in [
                (Readiness::Ready, false),
                (Readiness::Ready, true),
                (Readiness::NotReady, false),
                (Readiness::NotDetermined { why: "masked".into() }, false),
            ] {
                let mut globe = base.clone();
                let mut digest = before;
                if self.setup.plain && readiness != Readiness::Ready {
                    continue;
                }
                if change {
                    if globe.budget.change == 0 {
                        continue;
                    }
                    globe.budget.change -= 1;
                    digest = 1 - before;
                }
                globe.pass(delay);
                let at = now() - seconds(delay);
                globe.operators[i].truth.evidence = Some((at, readiness == Readiness::Ready, digest));
                let verdict = format!("{readiness:?}");
                let evidence = Evidence {
                    at,
                    readiness,
                    digest: digest.to_string(),
                    open: vec![],
                };
                globe.feed(self.setup, i, Event::Checked { at: now(), evidence });
                self.push(
                    format_args!("{i}: check after {delay}: {verdict} ({digest})"),
                    globe,
                );
            }
        }
    }

    fn look(&mut self, i: usize, base: &Globe) {
        for delay in self.delays() {
            for calm in self.calm() {
                for (label, budget, look) in base.describe() {
                    let mut globe = base.clone();
                    globe.budget = budget;
                    let mark = history::mark(&globe.messages(0));
                    let sample = globe.sample(self.setup, i, calm);
                    let fit = calm && [Idle.view(false), IdleAfterFailure.view(false)].contains(&look);
                    globe.pass(delay);
                    let at = now() - seconds(delay);
                    globe.operators[i].truth.look = Some((at, fit));
                    globe.operators[i].truth.held = sample.lock.is_ok();
                    let look = LastLook {
                        at,
                        sample,
                        look,
                        mark,
                        attested: Ok(()),
                    };
                    globe.feed(self.setup, i, Event::Looked { at: now(), look });
                    self.push(
                        format_args!("{i}: last look after {delay}, calm: {calm}, sees {label}"),
                        globe,
                    );
                }
            }
        }
    }

    /// The request leaves: the one moment that everything is about.
    fn submit(&mut self, i: usize, base: &Globe) {
        let violation = base.may_not_submit(self.setup, i);
        let mut sent = base.clone();
        sent.operators[i].submits += 1;
        // From here on it makes no difference what the request rested on.
        sent.operators[i].truth = Truth::default();
        let until = now() + self.setup.config.reconcile_for - seconds(1);
        let mut answer = |label: &str, lost: bool, answer: Answer, f: &dyn Fn(&mut Globe)| {
            let mut globe = sent.clone();
            if lost {
                if globe.budget.lost == 0 {
                    return;
                }
                globe.budget.lost -= 1;
            }
            f(&mut globe);
            globe.feed(self.setup, i, Event::Answered { at: now(), answer });
            self.checked(format_args!("{i}: SUBMITS, {label}"), globe, violation);
        };
        let lost = || Answer::Lost {
            why: "no answer".into(),
        };
        let fault = Fault {
            code: "InvalidBlueGreenDeploymentStateFault".into(),
            message: String::new(),
        };
        let open = sent.rds.stage.open() && !sent.rds.replaced;
        if open {
            answer("accepted", false, Answer::Accepted { request_id: None }, &|g| {
                g.start(Some(i))
            });
            answer("accepted, answer lost", true, lost(), &|g| g.start(Some(i)));
            answer("on its way, answer lost", true, lost(), &|g| {
                g.rds.late.push((i, until))
            });
        }
        answer("refused", false, Answer::Rejected { fault }, &|_| {});
        answer("never arrived, answer lost", true, lost(), &|_| {});
    }
}
