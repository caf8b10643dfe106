//! Which upgrade this is about: engine, versions, kind of replication, phase. Derived from the facts, never guessed.

use crate::{
    catalogue::{Applies, EngineRule, Header, Upgrade},
    facts::Facts,
    model::{DeploymentStatus, Engine, PgVersion, Phase, Replication, Side},
};

/// The upgrade at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The question.
    pub phase: Phase,
    /// The engine; plain PostgreSQL when only databases were asked.
    pub engine: Engine,
    /// Only databases were asked.
    pub databases_only: bool,
    /// Blue's version.
    pub source: Option<PgVersion>,
    /// The version to upgrade to.
    pub target: Option<PgVersion>,
    /// How green follows blue; none where it depends on a target that is not known.
    pub replication: Option<Replication>,
    /// There is a green server to look at.
    pub has_green: bool,
}

/// Whether a check applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applicability {
    /// It does.
    Yes,
    /// It does not: why, as the report says it.
    No(String),
    /// That depends on something that is not known: a pass would hold all the same, a failure may not matter.
    Undetermined(String),
}

impl Situation {
    /// Reads the situation off the facts. `phase` is the question that was asked for; without one it follows from the
    /// deployment: none means `create`, a completed one `verify`, any other `switchover`.
    pub fn of(facts: &Facts, phase: Option<Phase>) -> Self {
        let rds = facts.rds.known();
        let deployment = rds.and_then(|r| r.deployment.known()).and_then(Option::as_ref);
        let phase = phase.unwrap_or(match deployment.map(|d| &d.status) {
            Some(DeploymentStatus::SwitchoverCompleted) => Phase::Verify,
            Some(_) => Phase::Switchover,
            None if facts.green.is_some() => Phase::Switchover,
            None => Phase::Create,
        });
        let api_version = rds.and_then(|r| r.blue.known()).and_then(|t| t.engine_version());
        let source = api_version.or(facts.blue.known().map(|s| s.version));
        let green_version = facts.green.as_ref().and_then(|g| g.known()).map(|s| s.version);
        let target = facts.request.target_version.or(green_version);
        let replication = match (facts.engine, source, target) {
            (Engine::Aurora, ..) => Some(Replication::Logical),
            (_, Some(source), Some(target)) if target.major > source.major => Some(Replication::Logical),
            (Engine::Rds, Some(source), Some(target)) if target.major == source.major => {
                Some(Replication::Physical)
            }
            _ => None,
        };
        Self {
            phase,
            engine: facts.engine,
            databases_only: facts.databases_only(),
            source,
            target,
            replication,
            has_green: facts.green.is_some(),
        }
    }

    /// Whether a check belongs to this situation.
    pub fn applies(&self, header: &Header) -> Applicability {
        use Applicability::{No, Undetermined, Yes};
        if !header.phases.contains(&self.phase) {
            return No(format!("not asked in phase {}", self.phase));
        }
        if header.sides.contains(&Side::Rds) && self.databases_only {
            return No("databases only: RDS was not asked".to_owned());
        }
        if header.sides.contains(&Side::Green) && !self.has_green && !header.moves_to_green() {
            return No("there is no green server yet".to_owned());
        }
        let rules = [
            self.engine_rule(&header.applies),
            self.versions(&header.applies),
            self.replication(&header.applies),
        ];
        let mut undetermined = None;
        for rule in rules {
            match rule {
                No(why) => return No(why),
                Undetermined(why) => undetermined = Some(why),
                Yes => {}
            }
        }
        undetermined.map_or(Yes, Undetermined)
    }

    fn engine_rule(&self, applies: &Applies) -> Applicability {
        let (holds, what) = match applies.engine {
            None => return Applicability::Yes,
            Some(EngineRule::Aurora) => (self.engine == Engine::Aurora, "Aurora"),
            Some(EngineRule::Rds) => (self.engine == Engine::Rds, "RDS instances"),
            Some(EngineRule::AnyRds) => (self.engine != Engine::Postgres, "RDS and Aurora"),
        };
        if holds {
            Applicability::Yes
        } else {
            Applicability::No(format!("only for {what}"))
        }
    }

    fn replication(&self, applies: &Applies) -> Applicability {
        match (applies.replication, self.replication) {
            (None, _) => Applicability::Yes,
            (Some(wanted), Some(is)) if wanted == is => Applicability::Yes,
            (Some(_), Some(is)) => Applicability::No(format!("this deployment uses {is} replication")),
            (Some(wanted), None) => Applicability::Undetermined(format!(
                "matters only with {wanted} replication, which depends on the target version: give --target-version"
            )),
        }
    }

    fn versions(&self, applies: &Applies) -> Applicability {
        use Applicability::{No, Undetermined, Yes};
        let unknown_source = || Undetermined("blue's version is not known".to_owned());
        let unknown_target = |matters: String| Undetermined(format!("{matters}: give --target-version"));
        if let Some(requirement) = &applies.source {
            match self.source {
                Some(source) if !requirement.holds(source) => {
                    return No(format!(
                        "blue runs {source}, this is about versions {}",
                        requirement.words()
                    ));
                }
                None => return unknown_source(),
                _ => {}
            }
        }
        if let Some(step) = applies.crosses {
            match (self.source, self.target) {
                (Some(source), _) if source.major >= step => {
                    return No(format!("blue runs {source}, the step to {step} lies behind"));
                }
                (_, Some(target)) if target.major < step => {
                    return No(format!("the target {target} does not reach {step}"));
                }
                (Some(_), Some(_)) => {}
                (None, _) => return unknown_source(),
                (_, None) => return unknown_target(format!("matters only for targets from {step} on")),
            }
        }
        if let Some(requirement) = &applies.target {
            match self.target {
                Some(target) if !requirement.holds(target) => {
                    return No(format!(
                        "the target is {target}, this is about versions {}",
                        requirement.words()
                    ));
                }
                None => return unknown_target(format!("matters only for targets {}", requirement.words())),
                _ => {}
            }
        }
        match (applies.upgrade, self.source, self.target) {
            (Some(Upgrade::Major), Some(source), Some(target)) if target.major <= source.major => {
                No("no change of major version".to_owned())
            }
            (Some(Upgrade::Major), _, None) => unknown_target("matters only for a major upgrade".to_owned()),
            _ => Yes,
        }
    }
}
