//! Compares infrastructure code with the database as it is, or as it will be after the upgrade.
//!
//! Pure: texts and facts in, a [`Report`] out. What the code does not tell is said, never guessed. For each difference the
//! report says what deploying the code as it stands would do, from the data files in `data/`, and what to change.

mod ahead;
mod around;
mod code;
mod compare;
mod edits;
pub mod json;
mod live;
mod property;
mod resolve;
mod template;
mod terraform;
pub mod text;
mod updates;

use crate::{
    exit::Exit,
    facts::rds::{RdsFacts, Topology},
};

pub use ahead::{Ahead, CannotSay};
pub use code::{BadCode, Document, Language};
pub use resolve::Surroundings;
pub use template::template;
pub use terraform::{plan, state};

/// What deploying would do, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Change it without interruption.
    Modify,
    /// Change it; the database may restart.
    Interrupt,
    /// RDS refuses it: the deployment fails and rolls back.
    Refused,
    /// Make another database in some cases.
    MayReplace,
    /// Make another database, and delete this one.
    Replace,
}

/// One property on which code and database disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The file.
    pub file: String,
    /// Logical id, or Terraform's address.
    pub address: String,
    /// The CDK construct, where it is known.
    pub construct: Option<String>,
    /// The resource type.
    pub type_name: String,
    /// The property, in the language's words.
    pub property: String,
    /// What the code says.
    pub code: String,
    /// What the database is.
    pub live: String,
    /// What deploying would do.
    pub effect: Effect,
    /// Why, in words.
    pub why: String,
    /// Where that is written.
    pub source: Option<String>,
    /// With a look ahead: it is so today already.
    pub today: bool,
}

/// Something that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The file.
    pub file: String,
    /// Logical id, or Terraform's address.
    pub address: String,
    /// The property; none for the whole resource.
    pub property: Option<String>,
    /// Why not.
    pub why: String,
    /// Without it the answer may be wrong.
    pub decisive: bool,
}

/// A change that brings both together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The file that showed the difference.
    pub file: String,
    /// Construct, logical id or address; several where one line makes several resources.
    pub at: String,
    /// The property of the construct or resource; none for what is changed on the database.
    pub property: Option<String>,
    /// What to write, or which command to run.
    pub write: String,
}

/// A resource that was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The file.
    pub file: String,
    /// Logical id or address.
    pub address: String,
    /// The live resource's name.
    pub live: String,
    /// How it was recognized.
    pub how: &'static str,
}

/// The comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The cluster's or instance's name.
    pub subject: String,
    /// Its engine version: now, or after the upgrade.
    pub version: String,
    /// The upgrade that is looked ahead to.
    pub ahead: Option<String>,
    /// What was compared.
    pub matched: Vec<Matched>,
    /// Properties that agree.
    pub same: usize,
    /// Differences, the worst first.
    pub differences: Vec<Difference>,
    /// What could not be compared.
    pub unresolved: Vec<Unresolved>,
    /// What to change.
    pub edits: Vec<Edit>,
    /// What to know besides.
    pub notes: Vec<String>,
}

impl Report {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        if !self.differences.is_empty() {
            Exit::NotReady
        } else if self.unresolved.iter().any(|u| u.decisive) {
            Exit::NotDetermined
        } else {
            Exit::Ready
        }
    }
}

/// What surrounds a template of this database's stack.
pub fn surroundings(facts: &RdsFacts) -> Surroundings {
    let topology = live::production(facts);
    let arn = topology.and_then(Topology::arn);
    let tags = topology.and_then(live::tags);
    Surroundings {
        parameters: std::collections::BTreeMap::new(),
        region: Some(facts.region.clone()),
        account: facts.account.known().cloned(),
        partition: arn.and_then(|arn| arn.as_str().split(':').nth(1).map(str::to_owned)),
        stack: tags.and_then(|t| t.get("aws:cloudformation:stack-name").cloned()),
    }
}

/// Compares.
///
/// # Errors
/// Where the facts do not show the database, or do not tell what it will be.
pub fn compare(facts: &RdsFacts, documents: &[Document], ahead: Option<&Ahead>) -> Result<Report, CannotSay> {
    let now = live::production(facts).ok_or(CannotSay::NotThere)?;
    let Some(ahead) = ahead else {
        return Ok(compare::report(facts, now, documents, None));
    };
    let then = ahead::predict(facts, now, ahead)?;
    let today = compare::report(facts, now, documents, None);
    let mut report = compare::report(facts, &then, documents, Some(ahead::words(now, &then)));
    for difference in &mut report.differences {
        difference.today = today.differences.iter().any(|d| {
            (&d.file, &d.address, &d.property)
                == (&difference.file, &difference.address, &difference.property)
        });
    }
    Ok(report)
}
