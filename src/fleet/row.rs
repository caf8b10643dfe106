//! One database of a fleet: what of its full report belongs into a summary.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    facts::{Facts, Why, rds::MajorVersion},
    model::{Arn, Engine, PgVersion},
    plan::{self, Wanted},
    report::{Headline, Report},
    verdict::Level,
};

/// How a database stands, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Something gates.
    NotReady,
    /// It could not be looked at.
    NotLookedAt,
    /// Something that gates could not be judged.
    NotDetermined,
    /// Nothing gates as far as the RDS API tells; the database itself was not looked at.
    NothingAgainst,
    /// Ready.
    Ready,
    /// It runs the target version or a newer one.
    There,
}

/// When support of a major ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Support {
    /// Last day of standard support (`2026-02-28`).
    pub standard_until: Option<String>,
    /// Last day of extended support, which is paid for by vCPU and hour.
    pub extended_until: Option<String>,
    /// Standard support is over.
    pub over: bool,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Cluster or instance.
    pub name: String,
    /// `cluster` or `instance`.
    pub kind: String,
    /// ARN.
    pub arn: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// `Aurora PostgreSQL` or `RDS PostgreSQL`.
    pub engine: String,
    /// The version that runs.
    pub version: String,
    /// The way to the target: `12.17 in place`, `14.10 by blue/green`; empty where there is none or it was not asked for.
    pub way: Vec<String>,
    /// `create`, `switchover` or `verify`.
    pub phase: Option<String>,
    /// How it stands.
    pub state: State,
    /// Why, in a sentence.
    pub because: String,
    /// Findings by level.
    pub blockers: u64,
    /// Findings by level.
    pub warnings: u64,
    /// Findings by level.
    pub notices: u64,
    /// Checks that gate.
    pub blocking: Vec<String>,
    /// Checks that could not be judged, besides those that need the database where only the API was asked.
    pub not_determined: Vec<String>,
    /// The blue/green deployment that it is in.
    pub deployment: Option<String>,
    /// When support of the running major ends.
    pub support: Option<Support>,
    /// Files with the full report, beside the summary.
    pub reports: Vec<String>,
    /// When it was looked at (RFC 3339).
    pub read_at: String,
}

impl Row {
    fn new(arn: &Arn, engine: Engine, version: &str, at: Timestamp, state: State, because: String) -> Self {
        Self {
            name: arn.name().to_owned(),
            kind: if arn.kind() == "cluster" {
                "cluster"
            } else {
                "instance"
            }
            .to_owned(),
            account: arn.account().to_owned(),
            region: arn.region().to_owned(),
            arn: arn.to_string(),
            engine: engine.to_string(),
            version: version.to_owned(),
            way: Vec::new(),
            phase: None,
            state,
            because,
            blockers: 0,
            warnings: 0,
            notices: 0,
            blocking: Vec::new(),
            not_determined: Vec::new(),
            deployment: None,
            support: None,
            reports: Vec::new(),
            read_at: at.to_string(),
        }
    }

    /// What a full report says in short.
    pub fn of(arn: &Arn, version: &str, facts: &Facts, report: &Report, api_only: bool) -> Self {
        let rds = facts.rds.known();
        let mut blocking = Vec::new();
        let mut not_determined = Vec::new();
        for check in &report.checks {
            if check.open(report.fail_on) > 0 {
                blocking.push(check.id.to_owned());
            }
            // What only the databases could tell is one sentence over all, not a list in each row.
            let elsewhere = check
                .unseen
                .iter()
                .all(|u| u.waived.is_some() || (api_only && u.why.contains(NOT_LOOKED_AT)));
            if check.level >= report.fail_on && check.open_unseen() && !elsewhere {
                not_determined.push(check.id.to_owned());
            }
        }
        let state = match report.headline {
            Headline::NotReady => State::NotReady,
            Headline::Ready if api_only => State::NothingAgainst,
            Headline::Ready => State::Ready,
            Headline::NotDetermined if api_only && not_determined.is_empty() => State::NothingAgainst,
            Headline::NotDetermined => State::NotDetermined,
        };
        let because = match state {
            State::NothingAgainst => {
                "nothing that gates in the RDS API; the databases were not looked at".to_owned()
            }
            State::NotDetermined if api_only => format!("could not judge {}", few(&not_determined)),
            _ => report.because.clone(),
        };
        let mut row = Self::new(arn, facts.engine, version, facts.collected_at, state, because);
        let wanted = facts.request.target_version.map(Wanted::Version);
        if let (Some(rds), Some(wanted)) = (rds, wanted) {
            row.way = plan::way(rds, facts.engine, wanted)
                .map(|hops| hops.iter().map(ToString::to_string).collect())
                .unwrap_or_default();
        }
        row.phase = Some(report.situation.phase.to_string());
        row.blockers = report.count(Level::Blocker);
        row.warnings = report.count(Level::Warning);
        row.notices = report.count(Level::Notice);
        row.blocking = blocking;
        row.not_determined = not_determined;
        let deployment = rds.and_then(|r| r.deployment.known()).and_then(Option::as_ref);
        row.deployment = deployment.map(|d| format!("{} {}", d.name, d.status));
        let major = rds.and_then(|r| r.major_version.known()).and_then(Option::as_ref);
        row.support = major.map(|major| support(major, facts.collected_at));
        row
    }

    /// Worst first; among equals those whose support ends sooner, then those with more in the way.
    pub(super) fn order(&self) -> impl Ord + use<> {
        let end = self.support.as_ref().and_then(|s| s.standard_until.clone());
        (
            self.state,
            end.is_none(),
            end,
            std::cmp::Reverse(self.blockers),
            self.account.clone(),
            self.region.clone(),
            self.name.clone(),
        )
    }
}

/// What facts say of a database that is left out on purpose.
pub(super) const NOT_LOOKED_AT: &str = "the databases were not looked at (--api-only)";

/// Why a database is unknown where only the API is asked.
pub fn left_out<T>() -> crate::facts::Fact<T> {
    crate::facts::Fact::unknown(Why::NotAsked, NOT_LOOKED_AT)
}

/// A database that could not be looked at.
pub fn blind(arn: &Arn, engine: Engine, version: &str, at: Timestamp, why: String) -> Row {
    Row::new(arn, engine, version, at, State::NotLookedAt, why)
}

/// A database that runs the target or a newer version.
pub fn there(
    arn: &Arn,
    engine: Engine,
    version: &str,
    at: Timestamp,
    target: PgVersion,
    major: Option<&MajorVersion>,
) -> Row {
    let because = format!("runs {version}, {target} or newer is wanted");
    let mut row = Row::new(arn, engine, version, at, State::There, because);
    row.support = major.map(|major| support(major, at));
    row
}

fn support(major: &MajorVersion, now: Timestamp) -> Support {
    let end = |name: &str| {
        let cycle = major.lifecycles.iter().find(|l| l.name.contains(name))?;
        cycle.end
    };
    let day = |at: Option<Timestamp>| at.map(|t| t.strftime("%Y-%m-%d").to_string());
    let standard = end("standard");
    Support {
        standard_until: day(standard),
        extended_until: day(end("extended")),
        over: standard.is_some_and(|end| end < now),
    }
}

/// The first three, and how many more.
fn few(ids: &[String]) -> String {
    match ids.len().saturating_sub(3) {
        0 => ids.join(", "),
        more => format!("{} and {more} more", ids[..3].join(", ")),
    }
}
