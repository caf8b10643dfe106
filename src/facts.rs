//! Everything that was read, in one document that can be saved, shared and judged again.
//!
//! A fact is [`Fact::Known`] or [`Fact::Unknown`] with the reason; it is never silently absent. `greenlight collect`
//! writes this document, `greenlight check --facts FILE` judges it without any network, and tests use it as fixtures.

pub mod contents;
pub mod rds;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::model::{Engine, PgVersion, Side};
use contents::Contents;
use rds::RdsFacts;

/// The version of this document's format. Readers refuse any other.
pub const SCHEMA: u32 = 1;

/// Rows of one probe that travel unless its page says otherwise; the total always does.
pub const EVIDENCE_ROWS: u64 = 200;

/// Why a fact could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The role or the IAM identity may not look.
    Privilege,
    /// The statement, the connection or the whole run ran out of time.
    Timeout,
    /// The server or service could not be reached, or the connection died.
    Unreachable,
    /// The server answered with an error.
    Error,
    /// Nothing was asked: this run does not look there.
    NotAsked,
}

/// Something that was read, or the reason why it was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// It was read.
    Known(T),
    /// It was not.
    Unknown {
        /// The kind of reason.
        why: Why,
        /// In words, with the grant or action that is missing where one is.
        detail: String,
    },
}

impl<T> Fact<T> {
    /// An unknown fact.
    pub fn unknown(why: Why, detail: impl Into<String>) -> Self {
        Self::Unknown {
            why,
            detail: detail.into(),
        }
    }

    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// The value, or why there is none.
    pub fn get(&self) -> Result<&T, (Why, &str)> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Unknown { why, detail } => Err((*why, detail)),
        }
    }

    /// The fact that follows from this one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Unknown { why, detail } => Fact::Unknown { why, detail },
        }
    }
}

/// The rows of one probe as JSON objects: the first few, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// How many rows the query found.
    pub total: u64,
    /// The rows that travelled, in the query's order.
    pub rows: Vec<Row>,
}

/// One row, kept as the text of its JSON until somebody reads it: of a hundred databases with offending tables there are many
/// thousands, and taken apart each would take six times the room.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(Box<str>);

impl Row {
    /// The row as a judge wants it.
    ///
    /// # Errors
    /// Where it has another form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The row taken apart.
    pub fn value(&self) -> Value {
        self.read().unwrap_or_default()
    }

    /// The text of one field.
    pub fn text(&self, field: &str) -> Option<String> {
        Some(self.value().get(field)?.as_str()?.to_owned())
    }

    /// Whether its `name` is this one.
    pub fn is_named(&self, name: &str) -> bool {
        self.text("name").as_deref() == Some(name)
    }

    /// Changes what stands in it.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = self.value();
        change(&mut value);
        *self = value.into();
    }
}

impl From<Value> for Row {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

/// The name of a probe: a check's id, `id/name` where the page has several, or a shared probe's name.
pub type ProbeName = String;

/// A database's name as the server has it, unquoted.
pub type DbName = String;

/// What the probes of one database said; the whole is unknown where it could not be connected to.
pub type DatabaseFacts = Fact<BTreeMap<ProbeName, Fact<Rows>>>;

/// One PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFacts {
    /// `host:port` of the real endpoint, which is not the tunnel's.
    pub endpoint: String,
    /// The role that looked.
    pub role: String,
    /// `server_version` in force.
    pub version: PgVersion,
    /// Probes asked once a server.
    pub probes: BTreeMap<ProbeName, Fact<Rows>>,
    /// Probes asked in each database. Templates and `rdsadmin`, which hold nobody's data, are left out.
    pub databases: BTreeMap<DbName, DatabaseFacts>,
    /// The few probes that are asked in templates which accept connections (`template1`), where an engine upgrade is at hand:
    /// it goes through them as through any other database.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<DbName, DatabaseFacts>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Cluster, instance or deployment as it was named; none when only databases were asked.
    pub subject: Option<String>,
    /// The version to upgrade to: given, or the deployment's own.
    pub target_version: Option<PgVersion>,
    /// The parameter group that green is to have: given, or the deployment's own.
    pub target_parameter_group: Option<String>,
}

/// One look at how far green is behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LagSample {
    /// When.
    pub at: Timestamp,
    /// Blue's slots, from the probe `lag`: one row a slot.
    pub blue: Fact<Rows>,
    /// Green's apply workers, from the probe `apply`: one row a subscription.
    pub green: Fact<Rows>,
}

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The greenlight that collected it.
    pub greenlight: String,
    /// When collecting began; ages are measured against it.
    pub collected_at: Timestamp,
    /// What was asked for.
    pub request: Request,
    /// The engine: Aurora, RDS, or plain PostgreSQL when only the databases were asked.
    pub engine: Engine,
    /// The control plane.
    pub rds: Fact<RdsFacts>,
    /// Production.
    pub blue: Fact<ServerFacts>,
    /// The copy; none where there is no deployment.
    pub green: Option<Fact<ServerFacts>>,
    /// Lag, oldest first; empty where there is no green.
    pub lag: Vec<LagSample>,
    /// Contents of tables, where `--compare-rows` asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
}

/// A facts file that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum BadFacts {
    /// Not JSON, cut off, or edited so that a field has another name or type.
    #[error(
        "not a facts document: {0} (was it cut off or edited by hand? make it again with `greenlight collect`)"
    )]
    Syntax(#[from] serde_json::Error),
    /// Made by another version of greenlight.
    #[error(
        "the facts document has schema {found}, this greenlight reads schema {SCHEMA}: judge it with the greenlight \
         that collected it ({by}), or collect again"
    )]
    Schema {
        /// Its schema.
        found: u64,
        /// The greenlight that wrote it.
        by: String,
    },
}

impl Facts {
    /// Reads a saved document.
    ///
    /// # Errors
    /// [`BadFacts`] where it is not one, or of another schema.
    pub fn from_json(text: &str) -> Result<Self, BadFacts> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
            greenlight: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != u64::from(SCHEMA) {
            return Err(BadFacts::Schema {
                found: head.schema,
                by: head.greenlight,
            });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The server of a side; none where there is no such side.
    pub fn server(&self, side: Side) -> Option<&Fact<ServerFacts>> {
        match side {
            Side::Blue => Some(&self.blue),
            Side::Green => self.green.as_ref(),
            Side::Rds => None,
        }
    }

    /// Gives up the rows of the probes, whose judging is over: what a report shows beside its findings are names, versions
    /// and lag.
    pub fn forget_rows(&mut self) {
        for server in [Some(&mut self.blue), self.green.as_mut()].into_iter().flatten() {
            let Fact::Known(server) = server else { continue };
            server.probes.clear();
            for database in server.databases.values_mut().chain(server.templates.values_mut()) {
                if let Fact::Known(probes) = database {
                    probes.clear();
                }
            }
        }
    }

    /// Whether the control plane was left alone on purpose.
    pub fn databases_only(&self) -> bool {
        matches!(
            self.rds,
            Fact::Unknown {
                why: Why::NotAsked,
                ..
            }
        )
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privilege => "no privilege",
            Self::Timeout => "timed out",
            Self::Unreachable => "not reachable",
            Self::Error => "error",
            Self::NotAsked => "not asked",
        })
    }
}
