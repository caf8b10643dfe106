//! Rows of the shared probes, typed, and what several judges ask of them.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Ctx, plane::Plane};
use crate::{
    facts::rds::RdsFacts,
    model::{Engine, Lsn, PgVersion, Side, count, quote_literal, size},
    verdict::{Finding, Unseen},
};

/// Whether a version is at or past the first minor of its major; majors after the list all are.
pub(super) fn since(version: PgVersion, list: &[(u16, u16)]) -> bool {
    match list.iter().find(|(major, _)| *major == version.major) {
        Some((_, minor)) => version.minor.is_some_and(|m| m >= *minor),
        None => list.last().is_some_and(|(major, _)| version.major > *major),
    }
}

/// A row of `databases`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) allows_connections: bool,
    pub(super) is_template: bool,
}

/// A row of `slots`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) plugin: Option<String>,
    pub(super) database: Option<String>,
    pub(super) temporary: bool,
    pub(super) active: bool,
    pub(super) application: Option<String>,
    pub(super) user: Option<String>,
    pub(super) client: Option<String>,
    pub(super) wal_status: Option<String>,
    pub(super) invalidation: Option<String>,
    pub(super) retained_bytes: Option<i64>,
}

impl Slot {
    /// Whether it decodes changes for a subscriber.
    pub(super) fn is_logical(&self) -> bool {
        self.kind == "logical"
    }
}

/// A row of `senders`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sender {
    #[serde(rename = "pid")]
    _pid: i32,
    #[serde(rename = "application")]
    _application: Option<String>,
    #[serde(rename = "user")]
    _user: Option<String>,
    #[serde(rename = "state")]
    _state: Option<String>,
    pub(super) slot: Option<String>,
    pub(super) logical: bool,
}

/// A row of `workers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Worker {
    pub(super) kind: Option<String>,
    pub(super) processes: i64,
    pub(super) sees_all: bool,
}

/// A row of `apply`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {
    pub(super) name: String,
    pub(super) database: String,
    pub(super) enabled: bool,
    pub(super) slot: Option<String>,
    pub(super) pid: Option<i32>,
    pub(super) received_lsn: Option<String>,
    pub(super) latest_end_lsn: Option<String>,
    pub(super) last_message_seconds: Option<f64>,
    pub(super) apply_errors: Option<i64>,
    pub(super) sync_errors: Option<i64>,
}

/// A row of `lag`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lag {
    pub(super) slot: String,
    pub(super) database: Option<String>,
    pub(super) active: bool,
    pub(super) confirmed_flush_lsn: Option<String>,
    #[serde(rename = "restart_lsn")]
    _restart_lsn: Option<String>,
    pub(super) current_lsn: Option<String>,
    pub(super) lag_bytes: Option<i64>,
    pub(super) wal_status: Option<String>,
    pub(super) write_lag_seconds: Option<f64>,
    pub(super) flush_lag_seconds: Option<f64>,
    pub(super) replay_lag_seconds: Option<f64>,
    pub(super) last_reply_seconds: Option<f64>,
    pub(super) state: Option<String>,
}

/// A row of `overrides`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    pub(super) database: Option<String>,
    pub(super) role: Option<String>,
    pub(super) name: String,
    pub(super) value: String,
    /// The statement's head that takes it back: `alter role app in database "x"`.
    pub(super) alter: String,
}

impl Override {
    /// Whom it hits, in words.
    pub(super) fn whom(&self) -> String {
        match (&self.role, &self.database) {
            (Some(role), Some(database)) => format!("role {role} in database {database}"),
            (Some(role), None) => format!("role {role}"),
            (None, Some(database)) => format!("database {database}"),
            (None, None) => "all roles".to_owned(),
        }
    }

    /// Stable name of the setting at its place.
    pub(super) fn subject(&self) -> String {
        format!("{} of {}", self.name, self.whom())
    }
}

/// How many databases take a slot, seen two ways.
///
/// RDS makes one slot a database. Which of the service's own databases count is not documented, so the judges know both
/// numbers. <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-considerations.html>
#[derive(Clone, Debug)]
pub(super) struct Databases {
    /// Those that hold somebody's data.
    pub(super) own: Vec<String>,
    /// Templates that can be connected to and `rdsadmin`.
    pub(super) others: Vec<String>,
}

impl Databases {
    /// Counts them on a side.
    pub(super) fn of(ctx: &Ctx<'_>, side: Side) -> Result<Self, Vec<Unseen>> {
        let databases = ctx.rows::<Database>(side, "databases");
        if !databases.unseen.is_empty() {
            return Err(databases.unseen);
        }
        let mut counted = Self {
            own: Vec::new(),
            others: Vec::new(),
        };
        for (_, database) in databases.rows {
            if !database.allows_connections {
                continue;
            }
            if database.is_template || database.name == "rdsadmin" {
                counted.others.push(database.name);
            } else {
                counted.own.push(database.name);
            }
        }
        Ok(counted)
    }

    /// The larger number.
    pub(super) fn all(&self) -> usize {
        self.own.len() + self.others.len()
    }

    /// `3 databases (5 with rdsadmin, template1)`.
    pub(super) fn words(&self) -> String {
        let own = count(self.own.len(), "database");
        if self.others.is_empty() {
            own
        } else {
            format!("{own} ({} with {})", self.all(), self.others.join(", "))
        }
    }
}

/// Whether RDS runs this server: it says so, or its own database is there.
pub(super) fn managed(ctx: &Ctx<'_>) -> bool {
    ctx.situation.engine != Engine::Postgres
        || ctx
            .rows::<Database>(Side::Blue, "databases")
            .rows
            .iter()
            .any(|(_, d)| d.name == "rdsadmin")
}

/// Whether a parameter needs a restart; what is not listed here takes effect at once.
fn is_static(name: &str) -> bool {
    name.starts_with("max_replication")
        || matches!(
            name,
            "max_wal_senders"
                | "max_logical_replication_workers"
                | "max_worker_processes"
                | "max_active_replication_origins"
                | "wal_level"
                | "rds.logical_replication"
                | "shared_preload_libraries"
        )
}

/// The command that sets a parameter on a side, ready for pasting.
pub(super) fn set_parameter(ctx: &Ctx<'_>, side: Side, name: &str, value: &str) -> String {
    let (method, afterwards) = match (is_static(name), managed(ctx)) {
        (true, true) => ("pending-reboot", format!("\n# then reboot the writer of {side}")),
        (true, false) => ("", "\n-- then restart the server".to_owned()),
        (false, true) => ("immediate", String::new()),
        (false, false) => ("", "\nselect pg_reload_conf();".to_owned()),
    };
    if !managed(ctx) {
        let number = value.chars().all(|c| c.is_ascii_digit());
        let value = if number { value.to_owned() } else { literal(value) };
        return format!("alter system set {name} = {value};{afterwards}");
    }
    let plane = Plane::of(ctx).ok();
    let topology = plane.and_then(|p| match side {
        Side::Green => p.green().ok(),
        _ => p.blue().ok(),
    });
    let command = match (plane, topology.and_then(RdsFacts::group_key)) {
        (Some(plane), Some(key)) => plane.set_parameter(&key, name, value, method),
        // Only the databases were asked: the group's name is not known.
        _ => {
            let cluster = if ctx.situation.engine == Engine::Aurora {
                "cluster-"
            } else {
                ""
            };
            let parameter =
                serde_json::json!([{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}]);
            format!(
                "aws rds modify-db-{cluster}parameter-group --db-{cluster}parameter-group-name PARAMETER-GROUP \
                 --parameters '{parameter}'"
            )
        }
    };
    format!("{command}{afterwards}")
}

/// Slots that are the deployment's own.
pub(super) fn is_services(slot: &Slot, green: &[(Option<String>, Apply)]) -> bool {
    slot.is_logical() && is_services_name(&slot.name, green)
}

/// Whether a slot is the deployment's own by its name: RDS begins them with `rds`, a rehearsal may name them as green's subscriptions do, and
/// the first copy of a table has one for itself, from 14 on `pg_16394_sync_16385_7…`.
/// <https://www.postgresql.org/docs/current/logical-replication-subscription.html#LOGICAL-REPLICATION-SUBSCRIPTION-SLOT>
pub(super) fn is_services_name(slot: &str, green: &[(Option<String>, Apply)]) -> bool {
    let copies = || {
        slot.strip_prefix("pg_")
            .and_then(|rest| rest.split_once("_sync_"))
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    slot.starts_with("rds")
        || green.iter().any(|(_, a)| a.slot.as_deref() == Some(slot))
        || !green.is_empty()
            && copies().is_some_and(|(subscription, rest)| is_number(subscription) && is_number(rest))
}

/// Background workers of extensions: everything that is neither PostgreSQL's own nor a query's helper.
///
/// # Errors
/// Where the role may not see other processes.
pub(super) fn extension_workers(ctx: &Ctx<'_>, side: Side) -> Result<Vec<(String, i64)>, Vec<Unseen>> {
    const OWN: &[&str] = &[
        "client backend",
        "autovacuum launcher",
        "autovacuum worker",
        "background writer",
        "background worker",
        "checkpointer",
        "startup",
        "walreceiver",
        "walsender",
        "walwriter",
        "walsummarizer",
        "archiver",
        "logger",
        "slotsync worker",
        "standalone backend",
        "parallel worker",
        "io worker",
        "dead-end client backend",
    ];
    let workers = ctx.rows::<Worker>(side, "workers");
    if !workers.unseen.is_empty() {
        return Err(workers.unseen);
    }
    if workers.rows.iter().any(|(_, w)| !w.sees_all) {
        return Err(vec![Unseen {
            subject: format!("{side}:workers"),
            why: "other sessions are hidden: grant pg_monitor to the checking role".to_owned(),
        }]);
    }
    Ok(workers
        .rows
        .into_iter()
        .filter_map(|(_, w)| w.kind.map(|kind| (kind, w.processes)))
        .filter(|(kind, _)| !OWN.contains(&kind.as_str()) && !is_replication_worker(kind))
        .collect())
}

/// Whether a kind of process is a worker of logical replication, by whichever name the major has for it.
pub(crate) fn is_replication_worker(kind: &str) -> bool {
    kind.starts_with("logical replication")
}

/// Whether a setting's value is the asking session's own (its role's, its database's, or what greenlight sets), and so says
/// nothing about the server.
pub(super) fn is_session_value(setting: &super::Setting) -> bool {
    matches!(
        setting.source.as_str(),
        "database" | "user" | "database user" | "client" | "session"
    )
}

/// What a new session would have: where greenlight's has set a value after it had logged in, the one from before.
pub(super) fn of_a_new_session(setting: &super::Setting) -> super::Setting {
    let mut setting = setting.clone();
    if setting.source == "session" && setting.reset_val.is_some() {
        setting.setting = setting.reset_val.clone();
        let built_in = setting.reset_val == setting.boot_val;
        setting.source = if built_in { "default" } else { "configuration" }.to_owned();
    }
    setting
}

/// Quotes an SQL string.
pub(super) fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        quote_literal(text)
    }
}

impl Apply {
    /// A row of a lag sample.
    pub(super) fn parse(row: &crate::facts::Row) -> Option<Self> {
        row.read().ok()
    }

    /// Errors since the counters were reset; none before 15, where nobody counted.
    pub(super) fn errors(&self) -> i64 {
        self.apply_errors.unwrap_or(0) + self.sync_errors.unwrap_or(0)
    }
}

impl Lag {
    fn positions(&self) -> Option<(Lsn, Lsn)> {
        let read = |text: &Option<String>| text.as_deref().and_then(|t| t.parse::<Lsn>().ok());
        Some((read(&self.current_lsn)?, read(&self.confirmed_flush_lsn)?))
    }
}

/// How a slot's positions moved over the looks at it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Bytes of log that blue wrote a second; none from a single look.
    pub(super) written_per_second: Option<f64>,
    /// Bytes of log that green confirmed a second.
    pub(super) confirmed_per_second: Option<f64>,
    /// The distance grew from each look to the next, over three looks or more.
    pub(super) growing: bool,
    /// The confirmed position stood still over three looks or more.
    pub(super) stalled: bool,
    /// Seconds from the first look to the last.
    pub(super) seconds: f64,
    /// At least so many seconds: how long ago blue wrote what green confirmed last.
    pub(super) seconds_behind: f64,
}

impl Pace {
    /// Reads it off the looks, oldest first.
    pub(super) fn of(looks: &[(Timestamp, Lag)]) -> Self {
        let points: Vec<(f64, Lsn, Lsn)> = looks
            .iter()
            .filter_map(|(at, lag)| {
                let (current, confirmed) = lag.positions()?;
                Some((
                    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64(),
                    current,
                    confirmed,
                ))
            })
            .collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Self::default();
        };
        let distance = |p: &(f64, Lsn, Lsn)| p.1.bytes_since(p.2);
        let elapsed = last.0 - first.0;
        #[expect(clippy::cast_precision_loss, reason = "rates are shown with few digits")]
        let rate = |bytes: u64| (elapsed > 0.0).then(|| bytes as f64 / elapsed);
        // The newest look whose end of log is confirmed by now; where there is none, green is behind all of them.
        let confirmed_from = points
            .iter()
            .rev()
            .find(|p| p.1 <= last.2)
            .map_or(first.0, |p| p.0);
        Self {
            written_per_second: rate(last.1.bytes_since(first.1)),
            confirmed_per_second: rate(last.2.bytes_since(first.2)),
            growing: points.len() >= 3 && points.windows(2).all(|w| distance(&w[1]) > distance(&w[0])),
            stalled: points.len() >= 3 && distance(last) > 0 && points.iter().all(|p| p.2 == last.2),
            seconds: elapsed,
            seconds_behind: if distance(last) > 0 {
                last.0 - confirmed_from
            } else {
                0.0
            },
        }
    }

    /// Nothing was caught up over three looks or more.
    pub(super) const fn falls_behind(&self) -> bool {
        self.growing || self.stalled
    }

    /// `, written 2.0 MiB/s, confirmed 3.0 MiB/s`, as far as it is known.
    pub(super) fn words(&self) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "rates are far below 2^63")]
        let pace = |rate: f64| size(rate as i64);
        match (self.written_per_second, self.confirmed_per_second) {
            (Some(written), Some(confirmed)) => {
                format!(
                    "; blue writes {}/s, green confirms {}/s",
                    pace(written),
                    pace(confirmed)
                )
            }
            _ => String::new(),
        }
    }
}

/// A row of `sessions`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: Option<String>,
    pub(super) client: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) state: Option<String>,
    pub(super) writes: bool,
    pub(super) transaction_seconds: Option<f64>,
    pub(super) state_seconds: Option<f64>,
    pub(super) query: Option<String>,
    pub(super) ddl: Option<String>,
    own: bool,
    sees_all: bool,
}

impl Session {
    /// Sessions in a transaction on a side, without those that look at it for this tool and replication's own.
    ///
    /// # Errors
    /// Where they are not known, or hidden from the role.
    pub(super) fn of(ctx: &Ctx<'_>, side: Side) -> Result<(Vec<Self>, u64), Vec<Unseen>> {
        let (mut sessions, more) = Self::seen(ctx, side)?;
        // Databases are looked at side by side: the asking session has others beside it, which read only.
        let asking = sessions.iter().find(|s| s.own);
        let asking = asking.map(|s| (s.user.clone(), s.application.clone()));
        let looks = |s: &Self| {
            !s.writes
                && asking
                    .as_ref()
                    .is_some_and(|(u, a)| *u == s.user && *a == s.application)
        };
        sessions.retain(|s| !s.own && !looks(s) && !s.applies() && s.kind.as_deref() != Some("walsender"));
        Ok((sessions, more))
    }

    /// Green's workers of logical replication, in a transaction or not.
    ///
    /// # Errors
    /// Where sessions are not known, or hidden from the role.
    pub(super) fn applying(ctx: &Ctx<'_>) -> Result<Vec<Self>, Vec<Unseen>> {
        let (mut sessions, _) = Self::seen(ctx, Side::Green)?;
        sessions.retain(Self::applies);
        Ok(sessions)
    }

    fn seen(ctx: &Ctx<'_>, side: Side) -> Result<(Vec<Self>, u64), Vec<Unseen>> {
        let sessions = ctx.rows::<Self>(side, "sessions");
        if !sessions.unseen.is_empty() {
            return Err(sessions.unseen);
        }
        if !sessions.rows.iter().any(|(_, s)| s.own && s.sees_all) {
            return Err(vec![Unseen {
                subject: format!("{side}:sessions"),
                why: "other sessions are hidden: grant pg_monitor to the checking role".to_owned(),
            }]);
        }
        Ok((sessions.rows.into_iter().map(|(_, s)| s).collect(), sessions.more))
    }

    fn applies(&self) -> bool {
        self.kind.as_deref().is_some_and(is_replication_worker)
    }

    /// `session 4711 of app (psql)`.
    pub(super) fn words(&self) -> String {
        let user = self.user.as_deref().unwrap_or_default();
        match self.application.as_deref() {
            Some(application) if !application.is_empty() => {
                format!("session {} of {user} ({application})", self.pid)
            }
            _ => format!("session {} of {user}", self.pid),
        }
    }

    /// A finding about it.
    pub(super) fn finding(&self, side: Side, message: String) -> Finding {
        let mut finding = Finding::new(format!("pid {}", self.pid), message)
            .in_database(self.database.as_deref())
            .on(side)
            .fix(format!("select pg_catalog.pg_terminate_backend({});", self.pid));
        for (key, value) in [
            ("user", &self.user),
            ("application", &self.application),
            ("client", &self.client),
            ("state", &self.state),
            ("query", &self.query),
        ] {
            if let Some(value) = value {
                finding = finding.evidence(key, value.as_str());
            }
        }
        if let Some(seconds) = self.transaction_seconds {
            finding = finding.evidence("seconds in transaction", seconds.round());
        }
        finding
    }
}

/// Whether a list of libraries, as `shared_preload_libraries` has it, names one, alone or with its folder.
pub(super) fn listed(list: &str, library: &str) -> bool {
    list.split(',')
        .map(|item| item.trim().trim_matches('"'))
        .any(|item| {
            item.rsplit('/')
                .next()
                .is_some_and(|name| name.trim_end_matches(".so") == library)
        })
}

/// Rows of `extensions`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) version: String,
}

#[cfg(test)]
mod tests {
    use super::is_services_name;

    #[test]
    fn slots_of_a_first_copy_are_greens_where_it_subscribes() {
        let green = serde_json::json!({
            "name": "mine", "database": "app", "enabled": true, "slot": "mine", "pid": null, "received_lsn": null, "latest_end_lsn": null,
            "last_message_seconds": null, "apply_errors": null, "sync_errors": null
        });
        let green = [(None, serde_json::from_value(green).expect("a row"))];
        let copy = "pg_16394_sync_16385_7312345678901234567";
        assert!(
            is_services_name("rds_1", &[])
                && is_services_name("mine", &green)
                && is_services_name(copy, &green)
        );
        assert!(
            !is_services_name(copy, &[])
                && !is_services_name("pg_sync_1", &green)
                && !is_services_name("debezium", &green)
        );
    }
}
