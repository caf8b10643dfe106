//! Privileges are the same on green.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Ctx,
    compare::{Pair, WRITABLE, pairs},
};
use crate::{
    facts::DbName,
    model::{Side, count},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Statements that one finding prints.
const PRINTED: usize = 100;
/// The major that brought MAINTAIN, <https://www.postgresql.org/docs/17/release-17.html>.
const MAINTAIN: u16 = 17;

/// An object that has a list of privileges, with those of others than its owner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    kind: String,
    name: String,
    /// `alter default privileges … `, or nothing.
    head: String,
    /// ` (column)`, or nothing.
    columns: String,
    /// As GRANT names it.
    target: String,
    /// Privilege, role, with grant option.
    grants: Vec<(String, String, bool)>,
}

/// Who may do what.
type Grants = BTreeMap<(String, String), bool>;

impl Listed {
    /// The same privilege may have been granted by several roles.
    fn grants(&self, maintain: bool) -> Grants {
        let mut grants = Grants::new();
        for (privilege, role, grantable) in &self.grants {
            if maintain || privilege != "MAINTAIN" {
                *grants.entry((privilege.clone(), role.clone())).or_default() |= grantable;
            }
        }
        grants
    }

    /// What holds for such an object on the side where it has no list.
    fn built_in(&self) -> Grants {
        let everywhere = self.head.is_empty() || !self.head.contains(" in schema ");
        let privileges: &[&str] = match (self.kind.as_str(), self.target.as_str()) {
            ("function", _) => &["EXECUTE"],
            ("type", _) => &["USAGE"],
            ("database", _) => &["CONNECT", "TEMPORARY"],
            ("default privilege", "functions") if everywhere => &["EXECUTE"],
            ("default privilege", "types") if everywhere => &["USAGE"],
            _ => &[],
        };
        privileges
            .iter()
            .map(|p| (((*p).to_owned(), "public".to_owned()), false))
            .collect()
    }

    fn statement(&self, verb: &str, privilege: &str, role: &str, grantable: bool) -> String {
        let (to, option) = match verb {
            "grant" => ("to", if grantable { " with grant option" } else { "" }),
            _ => ("from", ""),
        };
        format!(
            "{}{verb} {privilege}{} on {} {to} {role}{option};",
            self.head, self.columns, self.target
        )
    }
}

/// What one side may and the other may not, as statements.
fn beyond(listed: &Listed, verb: &str, these: &Grants, those: &Grants) -> Vec<String> {
    let lacking = these.iter().filter(|(key, grantable)| match those.get(*key) {
        None => true,
        Some(other) => **grantable && !other && verb == "grant",
    });
    lacking
        .map(|((privilege, role), grantable)| listed.statement(verb, privilege, role, *grantable))
        .collect()
}

/// Names of what is on both sides, by database and kind.
fn on_both(ctx: &Ctx<'_>, judgement: &mut Judgement) -> BTreeSet<(DbName, String)> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
        kind: String,
    }
    let relations = pairs(ctx, judgement, "relations", |r: &Named| r.name.clone());
    let objects = pairs(ctx, judgement, "objects", |o: &Named| {
        format!("{} {}", o.kind, o.name)
    });
    let both = |p: &Pair<Named>| p.blue.is_some() && p.green.is_some();
    let relations = relations
        .into_iter()
        .filter(both)
        .map(|p| (p.database, format!("table {}", p.name)));
    relations
        .chain(objects.into_iter().filter(both).map(|p| (p.database, p.name)))
        .collect()
}

/// Missing and excess statements of one kind in one database.
#[derive(Default)]
struct Difference {
    missing: Vec<String>,
    excess: Vec<String>,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let there = on_both(ctx, &mut judgement);
    let listed = pairs(ctx, &mut judgement, "", |l: &Listed| {
        format!("{} {}", l.kind, l.name)
    });
    let maintain = [Side::Blue, Side::Green]
        .into_iter()
        .all(|side| ctx.server(side).is_ok_and(|s| s.version.major >= MAINTAIN));
    let mut differences: BTreeMap<(DbName, String), Difference> = BTreeMap::new();
    let mut same = 0;
    for pair in &listed {
        let Some(any) = pair.blue.as_ref().or(pair.green.as_ref()) else {
            continue;
        };
        let object = match any.kind.as_str() {
            "column" => any.target.clone(),
            _ => pair.name.clone(),
        };
        let by_name = [
            "schema", "table", "view", "sequence", "column", "function", "type",
        ]
        .contains(&any.kind.as_str());
        let view = object.replacen("table ", "view ", 1);
        let exists = [object, view]
            .into_iter()
            .any(|name| there.contains(&(pair.database.clone(), name)));
        if by_name && !exists && (pair.blue.is_none() || pair.green.is_none()) {
            continue;
        }
        let [blue, green] = [&pair.blue, &pair.green].map(|side| {
            side.as_ref()
                .map_or_else(|| any.built_in(), |listed| listed.grants(maintain))
        });
        let missing = beyond(any, "grant", &blue, &green);
        let excess = beyond(any, "revoke", &green, &blue);
        if missing.is_empty() && excess.is_empty() {
            same += 1;
        } else {
            let difference = differences
                .entry((pair.database.clone(), any.kind.clone()))
                .or_default();
            difference.missing.extend(missing);
            difference.excess.extend(excess);
        }
    }
    for ((database, kind), difference) in differences {
        let kinds = format!("{kind}s");
        let find = |object: String, message: String, statements: Vec<String>| {
            let mut fix: Vec<String> = vec![WRITABLE.to_owned()];
            fix.extend(statements.iter().take(PRINTED).cloned());
            if statements.len() > PRINTED {
                fix.push(format!(
                    "-- and {} more; run greenlight again",
                    statements.len() - PRINTED
                ));
            }
            Finding::new(object, message)
                .in_database(Some(&database))
                .on(Side::Green)
                .evidence("count", statements.len())
                .fix(fix.join("\n"))
        };
        let Difference { missing, excess } = difference;
        if !missing.is_empty() {
            let message = format!(
                "{} on {kinds} of blue {} missing on green",
                count(missing.len(), "grant"),
                be(missing.len())
            );
            judgement.find(find(format!("grants on {kinds}"), message, missing));
        }
        if !excess.is_empty() {
            let message = format!(
                "{} on {kinds} {} on green only: revoked on blue meanwhile, or granted on green",
                count(excess.len(), "grant"),
                be(excess.len())
            );
            judgement.find(find(format!("more grants on {kinds}"), message, excess).at(Level::Notice));
        }
    }
    judgement.done_with(format!("{} may be used alike", count(same, "object")))
}

fn be(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}
