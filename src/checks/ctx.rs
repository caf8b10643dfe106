//! What judges may see: rows of probes, settings, the control plane, each with its blind spots.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::shared_probes;
use crate::{
    catalogue::{Page, fill},
    facts::{DbName, Fact, Facts, Rows, ServerFacts, Why, rds::RdsFacts},
    model::Side,
    policy::Policy,
    situation::Situation,
    verdict::{Finding, Judgement, Level, Unseen, Verdict},
};

/// What a judge may see.
#[derive(Clone, Copy, Debug)]
pub struct Ctx<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// Thresholds.
    pub policy: &'a Policy,
    /// The upgrade at hand.
    pub situation: &'a Situation,
    /// The check's page.
    pub page: &'a Page,
}

/// Rows of a probe, from every database where it ran.
#[derive(Debug)]
pub struct Gathered<T> {
    /// The database (none for a server probe) and the row.
    pub rows: Vec<(Option<DbName>, T)>,
    /// Rows that did not travel.
    pub more: u64,
    /// The same by database.
    pub more_in: Vec<(Option<DbName>, u64)>,
    /// Where it could not be asked, and why.
    pub unseen: Vec<Unseen>,
}

impl<T> Gathered<T> {
    fn nothing(unseen: Unseen) -> Self {
        Self {
            rows: Vec::new(),
            more: 0,
            more_in: Vec::new(),
            unseen: vec![unseen],
        }
    }
}

fn unseen(side: Side, database: Option<&str>, probe: &str, why: Why, detail: &str) -> Unseen {
    let place = match database {
        Some(database) => crate::verdict::subject(Some(database), probe),
        None => probe.to_owned(),
    };
    Unseen {
        subject: format!("{side}:{place}"),
        why: format!("{why}: {detail}"),
    }
}

impl<'a> Ctx<'a> {
    /// The side's server, or why it cannot be judged.
    ///
    /// # Errors
    /// The blind spot, where the side was not reached or is not there.
    pub fn server(&self, side: Side) -> Result<&'a ServerFacts, Unseen> {
        let server = self.facts.server(side).ok_or_else(|| Unseen {
            subject: side.to_string(),
            why: format!("there is no {side} server"),
        })?;
        server.get().map_err(|(why, detail)| Unseen {
            subject: side.to_string(),
            why: format!("{why}: {detail}"),
        })
    }

    /// The control plane, or why it cannot be judged.
    ///
    /// # Errors
    /// The verdict to return: skipped when RDS was not asked, unknown otherwise.
    pub fn rds(&self) -> Result<&'a RdsFacts, Verdict> {
        self.facts.rds.get().map_err(|(why, detail)| match why {
            Why::NotAsked => Verdict::skip(format!("RDS was not asked: {detail}")),
            _ => Verdict::unknown("rds", format!("{why}: {detail}")),
        })
    }

    /// A part of the control plane's facts, or the verdict to return.
    ///
    /// # Errors
    /// [`Verdict::Unknown`] naming the part.
    pub fn known<T>(&self, name: &str, fact: &'a Fact<T>) -> Result<&'a T, Verdict> {
        fact.get()
            .map_err(|(why, detail)| Verdict::unknown(format!("rds.{name}"), format!("{why}: {detail}")))
    }

    /// Rows of a probe of this check's page (`""` for its only one) or of a shared probe, on one side: the
    /// server's own and those of every database, templates included where the page says so.
    pub fn rows<T: DeserializeOwned>(&self, side: Side, probe: &str) -> Gathered<T> {
        let server = match self.server(side) {
            Ok(server) => server,
            Err(unseen) => return Gathered::nothing(unseen),
        };
        let name = self.probe_name(probe);
        let name = name.as_str();
        let mut out = Gathered {
            rows: Vec::new(),
            more: 0,
            more_in: Vec::new(),
            unseen: Vec::new(),
        };
        if let Some(fact) = server.probes.get(name) {
            take(&mut out, side, None, name, fact);
            return out;
        }
        let mut asked = false;
        let templates = self.page.header.templates.then_some(&server.templates);
        for (database, probes) in server.databases.iter().chain(templates.into_iter().flatten()) {
            match probes {
                Fact::Known(probes) => match probes.get(name) {
                    Some(fact) => {
                        asked = true;
                        take(&mut out, side, Some(database), name, fact);
                    }
                    None => {
                        out.unseen
                            .push(unseen(side, Some(database), name, Why::NotAsked, "not collected"))
                    }
                },
                Fact::Unknown { why, detail } => {
                    out.unseen.push(Unseen {
                        subject: format!("{side}:{}", crate::model::quote_ident(database)),
                        why: format!("{why}: {detail}"),
                    });
                }
            }
        }
        if !asked && out.unseen.is_empty() {
            out.unseen
                .push(unseen(side, None, name, Why::NotAsked, "not collected"));
        }
        out
    }

    /// The name among the facts of a probe of this check's page (`""` for its only one) or of a shared probe.
    pub fn probe_name(&self, probe: &str) -> String {
        if shared_probes().iter().any(|p| p.name == probe) {
            probe.to_owned()
        } else if probe.is_empty() {
            self.page.id.clone()
        } else {
            format!("{}/{probe}", self.page.id)
        }
    }

    /// Settings of a side by name.
    pub fn settings(&self, side: Side) -> Settings {
        let gathered = self.rows::<Setting>(side, "settings");
        let unseen = gathered.unseen.into_iter().next();
        Settings {
            known: gathered
                .rows
                .into_iter()
                .map(|(_, s)| (s.name.clone(), s))
                .collect(),
            unseen,
        }
    }
}

fn take<T: DeserializeOwned>(
    out: &mut Gathered<T>,
    side: Side,
    database: Option<&str>,
    probe: &str,
    fact: &Fact<Rows>,
) {
    let rows = match fact.get() {
        Ok(rows) => rows,
        Err((why, detail)) => return out.unseen.push(unseen(side, database, probe, why, detail)),
    };
    let more = rows.total.saturating_sub(rows.rows.len() as u64);
    out.more += more;
    if more > 0 {
        out.more_in.push((database.map(str::to_owned), more));
    }
    for row in &rows.rows {
        match row.read::<T>() {
            Ok(row) => out.rows.push((database.map(str::to_owned), row)),
            // Only a facts file that was edited or made by another greenlight gets here.
            Err(e) => out.unseen.push(unseen(
                side,
                database,
                probe,
                Why::Error,
                &format!("unreadable row: {e}"),
            )),
        }
    }
}

/// One row of the shared probe `settings`.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// The value in force, in `unit`.
    pub setting: Option<String>,
    /// `kB`, `8kB`, `ms`, `s` …; none for plain numbers.
    pub unit: Option<String>,
    /// `bool`, `enum`, `integer`, `real`, `string`.
    pub vartype: String,
    /// Where the value comes from.
    pub source: String,
    /// Changed in the file, but waiting for a restart.
    pub pending_restart: bool,
    /// The built-in default.
    pub boot_val: Option<String>,
    /// What a new session of the role would have, where this one has set another value.
    #[serde(default)]
    pub reset_val: Option<String>,
}

/// Settings of one side.
#[derive(Debug)]
pub struct Settings {
    known: BTreeMap<String, Setting>,
    unseen: Option<Unseen>,
}

impl Settings {
    /// A setting; `Ok(None)` where the server has no such setting.
    ///
    /// # Errors
    /// The blind spot, where settings could not be read.
    pub fn get(&self, name: &str) -> Result<Option<&Setting>, Unseen> {
        match (self.known.get(name), &self.unseen) {
            (Some(setting), _) => Ok(Some(setting)),
            (None, Some(unseen)) => Err(unseen.clone()),
            (None, None) => Ok(None),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// The blind spot, where it could not be read or is no number.
    pub fn number(&self, name: &str) -> Result<i64, Unseen> {
        let blind = |why: String| Unseen {
            subject: format!("setting {name}"),
            why,
        };
        let setting = self
            .get(name)?
            .ok_or_else(|| blind("the server has no such setting".to_owned()))?;
        let text = setting.setting.as_deref().unwrap_or_default();
        text.parse()
            .map_err(|_| blind(format!("{text:?} is not a number")))
    }
}

/// The judge of checks without one: any row is a finding. Where the matter moves to green, blue's rows only count until green is there.
pub(super) fn rows_are_findings(ctx: &Ctx<'_>) -> Verdict {
    rows_where(ctx, |_| true)
}

/// Rows that `matters` holds for are findings. Where rows were left behind, those that do not matter must come last in
/// the query's order: one that is listed shows that the rest does not matter either.
pub(super) fn rows_where(ctx: &Ctx<'_>, matters: impl Fn(&BTreeMap<String, Value>) -> bool) -> Verdict {
    let mut judgement = Judgement::new();
    let counts =
        |side: Side| !ctx.page.header.moves_to_green() || (side == Side::Green) == ctx.situation.has_green;
    for side in ctx.page.header.sides.iter().copied().filter(|side| counts(*side)) {
        let gathered = ctx.rows::<BTreeMap<String, Value>>(side, "");
        judgement.blind(gathered.unseen);
        for (database, more) in gathered.more_in {
            let of_database = |(d, _): &&(Option<DbName>, _)| *d == database;
            if gathered
                .rows
                .iter()
                .filter(of_database)
                .all(|(_, row)| matters(row))
            {
                judgement.more(more);
            }
        }
        for (database, mut row) in gathered.rows {
            if !matters(&row) {
                continue;
            }
            let text = |row: &BTreeMap<String, Value>, key: &str| {
                row.get(key).and_then(Value::as_str).map(str::to_owned)
            };
            let header = &ctx.page.header;
            let message = text(&row, "message").or_else(|| header.message.as_ref().map(|t| fill(t, &row)));
            let fix = text(&row, "fix").or_else(|| header.fix.as_ref().map(|t| fill(t, &row)));
            let Some(object) = text(&row, "subject") else {
                judgement.unseen(side.to_string(), "a row without a subject");
                continue;
            };
            let mut finding = Finding::new(object, message.unwrap_or_else(|| header.title.clone()))
                .in_database(database.as_deref())
                .on(side);
            finding.fix = fix;
            finding.level = match row.get("level").and_then(Value::as_str) {
                Some("warning") => Some(Level::Warning),
                Some("notice") => Some(Level::Notice),
                Some("blocker") => Some(Level::Blocker),
                _ => None,
            };
            for column in ["subject", "message", "fix", "level"] {
                row.remove(column);
            }
            finding.evidence = row.into();
            judgement.find(finding);
        }
    }
    judgement.done()
}
