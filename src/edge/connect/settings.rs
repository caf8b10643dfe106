//! What makes a session harmless and its answers the same everywhere.
//!
//! The settings go out with the startup message (`options`), where they outrank those of the role and the database and cost
//! nothing. Then the session is made to prove that it is read-only, since poolers can be told to drop `options` in silence.

use std::{fmt::Write as _, time::Duration};

use futures_util::FutureExt as _;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Cause, classify};

/// Limits inside a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// The longest a statement may run.
    pub statement: Duration,
    /// The longest a statement may wait for a lock.
    pub lock: Duration,
    /// After how long the server ends a session that does nothing, on PostgreSQL 14 and later; zero for never.
    pub idle: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(30),
            lock: Duration::from_secs(2),
            idle: Duration::from_secs(600),
        }
    }
}

/// How the session's settings got to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsSent {
    /// With the startup message.
    AtStartup,
    /// With SET, because something in between (RDS Proxy) takes no startup options.
    AfterLogin,
}

/// `idle_session_timeout` is new in 14 (<https://www.postgresql.org/docs/14/release-14.html>).
const HAS_IDLE_SESSION_TIMEOUT: u32 = 140_000;

/// `jit` is new in 11 and on from 12 (<https://www.postgresql.org/docs/12/release-12.html>). The planner takes the catalogs of a large
/// database for work that is worth compiling, which costs more than the probes themselves.
const HAS_JIT: u32 = 110_000;

/// Every setting, known to all versions from 9.6.
fn all(limits: &SessionLimits) -> Vec<(&'static str, String)> {
    let milliseconds = |limit: Duration| limit.as_millis().to_string();
    let fixed = |value: &str| value.to_owned();
    vec![
        ("default_transaction_read_only", fixed("on")),
        ("statement_timeout", milliseconds(limits.statement)),
        ("lock_timeout", milliseconds(limits.lock)),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(limits.statement.saturating_mul(2)),
        ),
        ("search_path", fixed("pg_catalog")),
        // A query that row security would silently thin out fails instead, and its fact becomes unknown.
        ("row_security", fixed("off")),
        // A busy server keeps its workers.
        ("max_parallel_workers_per_gather", fixed("0")),
        // Probes join in the order that they are written in, which was measured on 20,000 tables; looking for a better one takes longer than
        // most of them run.
        ("join_collapse_limit", fixed("1")),
        ("from_collapse_limit", fixed("1")),
        // The text of answers does not depend on the role.
        ("client_min_messages", fixed("warning")),
        ("standard_conforming_strings", fixed("on")),
        ("quote_all_identifiers", fixed("off")),
        ("timezone", fixed("UTC")),
        ("datestyle", fixed("ISO")),
        ("intervalstyle", fixed("postgres")),
        ("bytea_output", fixed("hex")),
        ("extra_float_digits", fixed("3")),
    ]
}

/// What suits the probes, unless the user's own settings say otherwise: sorts of a large catalog stay in memory, and what a session
/// may take stays small.
const USUAL: [(&str, &str); 1] = [("work_mem", "16MB")];

/// What only newer servers know, and what an older one refuses the login for when it comes with the startup message.
fn newer(version: Option<u32>, limits: &SessionLimits) -> Vec<(&'static str, String)> {
    let from = |first: u32| version.is_some_and(|version| version >= first);
    let mut settings = Vec::new();
    if from(HAS_JIT) {
        settings.push(("jit", "off".to_owned()));
    }
    if from(HAS_IDLE_SESSION_TIMEOUT) && !limits.idle.is_zero() {
        settings.push(("idle_session_timeout", limits.idle.as_millis().to_string()));
    }
    settings
}

/// The startup option: the usual settings, the user's own, then ours, since the last one wins. `version` is the server's, where
/// an earlier session told it.
pub(super) fn startup_options(own: Option<&str>, limits: &SessionLimits, version: Option<u32>) -> String {
    let usual = USUAL.map(|(name, value)| format!("-c {name}={value}"));
    let ours = all(limits).into_iter().chain(newer(version, limits));
    let ours = ours.map(|(name, value)| format!("-c {name}={value}"));
    let own = own.filter(|own| !own.is_empty()).map(str::to_owned);
    let options: Vec<String> = usual.into_iter().chain(own).chain(ours).collect();
    options.join(" ")
}

/// The same for a session that took no startup options, the user's own ones neither.
fn with_usual(limits: &SessionLimits) -> Vec<(&'static str, String)> {
    let usual = USUAL.map(|(name, value)| (name, value.to_owned()));
    usual.into_iter().chain(all(limits)).collect()
}

fn set_statements(settings: Vec<(&'static str, String)>) -> String {
    settings
        .into_iter()
        .fold(String::new(), |mut sql, (name, value)| {
            let _infallible = write!(sql, "set {name} = '{value}';");
            sql
        })
}

/// `15.14 (Debian …)` as 150014, `9.6.24` as 90624, `19beta1` as 190000.
pub(super) fn version_number(text: &str) -> Option<u32> {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()?
        .split('.');
    let major: u32 = numbers.next()?.parse().ok()?;
    let mut next = || {
        numbers
            .next()
            .map_or(Some(0), |number| number.parse::<u32>().ok())
    };
    match major {
        0..=9 => Some(major * 10_000 + next()? * 100 + next()?),
        10..=999 => Some(major * 10_000 + next()?),
        _ => None,
    }
}

/// Why a session could not be made safe.
pub(super) enum Trouble {
    Driver(tokio_postgres::Error),
    Lost,
}

impl Trouble {
    pub(super) fn into_cause(self, ended: Option<&String>, context: &classify::Context<'_>) -> Cause {
        match self {
            Self::Lost => Cause::SettingsLost,
            Self::Driver(error) if error.is_closed() => Cause::SessionEnded {
                said: ended
                    .cloned()
                    .unwrap_or_else(|| "it closed the connection".to_owned()),
            },
            Self::Driver(error) => classify::login_failure(&error, context),
        }
    }
}

/// A session that has just logged in.
pub(super) struct Settled<'a> {
    pub(super) client: &'a Client,
    pub(super) version: Option<u32>,
    /// Whether its version was known beforehand, so that the startup message had everything.
    pub(super) version_known: bool,
    /// Whether the server itself reported `default_transaction_read_only`, as it does from 14 on.
    pub(super) reported: Option<bool>,
}

impl Settled<'_> {
    /// Sends what has not been sent, and makes sure that the session is read-only and looks names up in `pg_catalog`.
    pub(super) async fn make_sure(&self, sent: SettingsSent, limits: &SessionLimits) -> Result<(), Trouble> {
        if sent == SettingsSent::AfterLogin {
            self.client
                .batch_execute(&set_statements(with_usual(limits)))
                .await
                .map_err(Trouble::Driver)?;
        }
        let later = match sent {
            SettingsSent::AtStartup if self.version_known => Vec::new(),
            _ => newer(self.version, limits),
        };
        if !later.is_empty() {
            // Polled once, which queues it ahead of whatever the caller asks first; nobody waits for the answer.
            let _answered_later = self.client.batch_execute(&set_statements(later)).now_or_never();
        }
        match (sent, self.reported) {
            (SettingsSent::AtStartup, Some(true)) => Ok(()),
            _ => self.ask().await,
        }
    }

    async fn ask(&self) -> Result<(), Trouble> {
        let sql = "select pg_catalog.current_setting('default_transaction_read_only'), pg_catalog.current_setting('search_path')";
        let answer = self.client.simple_query(sql).await.map_err(Trouble::Driver)?;
        let safe = answer.iter().any(|message| {
            matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on") && row.get(1) == Some("pg_catalog"))
        });
        if safe { Ok(()) } else { Err(Trouble::Lost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_numbers() {
        for (text, number) in [
            ("15.14 (Debian 15.14-1.pgdg120+1)", Some(150_014)),
            ("13.12", Some(130_012)),
            ("9.6.24", Some(90_624)),
            ("19beta1", Some(190_000)),
            ("17devel", Some(170_000)),
            ("10", Some(100_000)),
            ("", None),
            ("x", None),
            ("99999999999", None),
            ("4000", None),
        ] {
            assert_eq!(version_number(text), number, "{text:?}");
        }
    }

    #[test]
    fn own_options_come_first() {
        let options = startup_options(Some("-c search_path=evil"), &SessionLimits::default(), None);
        assert!(
            options.starts_with("-c work_mem=16MB -c search_path=evil -c default_transaction_read_only=on "),
            "{options}"
        );
        assert!(options.contains(" -c search_path=pg_catalog"));
        assert!(
            startup_options(None, &SessionLimits::default(), None)
                .starts_with("-c work_mem=16MB -c default_")
        );
        assert!(
            !options.contains("jit"),
            "an old server would refuse it: {options}"
        );
        let told = |version| startup_options(None, &SessionLimits::default(), Some(version));
        assert!(told(130_012).ends_with(" -c jit=off"), "{}", told(130_012));
        assert!(told(140_000).contains(" -c idle_session_timeout=600000"));
    }
}
