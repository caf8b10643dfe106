//! Finds the live resources in the code and compares them property by property.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Difference, Edit, Effect, Matched, Report, Unresolved,
    code::{Declared, Document, Kind, Setting},
    edits::{self, There},
    live,
    property::{CLUSTER, INSTANCE, Property, Same, is_same, plain},
    updates::{self, Behaviour},
};
use crate::{
    facts::rds::{Instance, RdsFacts, Topology},
    model::PgVersion,
};

const CLUSTER_NAME: &[&str] = &["DBClusterIdentifier", "cluster_identifier"];
const INSTANCE_NAME: &[&str] = &["DBInstanceIdentifier", "identifier"];
const ENGINE: &[&str] = &["Engine", "engine"];
pub(super) const VERSION: &[&str] = &["EngineVersion", "engine_version"];
const FAMILY: &[&str] = &["Family", "family"];

pub(super) struct Comparison<'a> {
    pub(super) facts: &'a RdsFacts,
    pub(super) report: Report,
}

/// Compares a topology with the documents.
pub(super) fn report(
    facts: &RdsFacts,
    topology: &Topology,
    documents: &[Document],
    ahead: Option<String>,
) -> Report {
    let version = match &topology.cluster {
        Some(cluster) => cluster.engine_version.clone(),
        None => topology
            .instances
            .first()
            .map(|i| i.engine_version.clone())
            .unwrap_or_default(),
    };
    let looks_ahead = ahead.is_some();
    let mut comparison = Comparison {
        facts,
        report: Report {
            subject: topology.id().to_owned(),
            version,
            ahead,
            matched: Vec::new(),
            same: 0,
            differences: Vec::new(),
            unresolved: Vec::new(),
            edits: Vec::new(),
            notes: Vec::new(),
        },
    };
    match &topology.cluster {
        Some(_) => comparison.cluster(topology, documents),
        None => comparison.instances(topology, documents, None),
    }
    comparison.around(topology, documents, looks_ahead);
    let mut report = comparison.report;
    report.differences.sort_by_key(|d| std::cmp::Reverse(d.effect));
    report.edits = merged(report.edits);
    report
}

/// One edit for several resources that one line makes, in the order of the code.
fn merged(edits: Vec<Edit>) -> Vec<Edit> {
    let mut seen = BTreeSet::new();
    edits
        .into_iter()
        .filter(|edit| seen.insert(edit.clone()))
        .collect()
}

fn list(names: &[&str]) -> String {
    names.join(", ")
}

impl Comparison<'_> {
    fn unresolved(
        &mut self,
        document: &Document,
        address: &str,
        property: Option<&str>,
        why: String,
        decisive: bool,
    ) {
        self.report.unresolved.push(Unresolved {
            file: document.file.clone(),
            address: address.to_owned(),
            property: property.map(str::to_owned),
            why,
            decisive,
        });
    }

    pub(super) fn matched(&mut self, document: &Document, address: &str, live: &str, how: &'static str) {
        self.report.matched.push(Matched {
            file: document.file.clone(),
            address: address.to_owned(),
            live: live.to_owned(),
            how,
        });
    }

    /// How a declared resource is known to be a live one by itself.
    fn recognize(
        declared: &Declared,
        names: &[&str],
        id: &str,
        tag: Option<&String>,
    ) -> Option<&'static str> {
        if declared
            .text(names)
            .is_some_and(|name| name.eq_ignore_ascii_case(id))
        {
            Some("by its name")
        } else if tag == Some(&declared.address) {
            Some("by the tag aws:cloudformation:logical-id")
        } else {
            None
        }
    }

    fn cluster(&mut self, topology: &Topology, documents: &[Document]) {
        let Some(cluster) = &topology.cluster else { return };
        let tag = cluster.tags.get("aws:cloudformation:logical-id");
        let all: Vec<(&Document, &Declared)> = documents
            .iter()
            .flat_map(|d| {
                d.declared
                    .iter()
                    .filter(|r| r.kind == Kind::Cluster)
                    .map(move |r| (d, r))
            })
            .collect();
        let mut ours: Vec<(&Document, &Declared, &'static str)> = all
            .iter()
            .filter_map(|(d, r)| Some((*d, *r, Self::recognize(r, CLUSTER_NAME, &cluster.id, tag)?)))
            .collect();
        if ours.is_empty() {
            let unnamed: Vec<_> = all
                .iter()
                .filter(|(_, r)| r.text(CLUSTER_NAME).is_none())
                .filter(|(_, r)| r.text(ENGINE).is_none_or(|e| e == cluster.engine))
                .collect();
            match unnamed.as_slice() {
                [(document, declared)] => ours.push((document, declared, "as the only candidate")),
                [] => self.nowhere(documents, "cluster", &cluster.id, &all, CLUSTER_NAME),
                several => {
                    let names: Vec<&str> = several.iter().map(|(_, r)| r.address.as_str()).collect();
                    let why = format!(
                        "which of {} is {}? none is named, and no tag tells",
                        list(&names),
                        cluster.id
                    );
                    let (document, declared) = several[0];
                    self.unresolved(document, &declared.address, None, why, true);
                }
            }
        }
        let there = There {
            id: &cluster.id,
            arn: &cluster.arn,
            engine: &cluster.engine,
            member: false,
        };
        for (document, declared, how) in ours {
            self.matched(document, &declared.address, &cluster.id, how);
            for property in &CLUSTER {
                self.property(document, declared, property, &(property.live)(cluster), &there);
            }
            self.planned(document, declared);
            self.instances(topology, std::slice::from_ref(document), Some(declared));
        }
    }

    /// The subject is in none of the files.
    fn nowhere(
        &mut self,
        documents: &[Document],
        kind: &str,
        id: &str,
        all: &[(&Document, &Declared)],
        names: &[&str],
    ) {
        let others: Vec<&str> = all.iter().filter_map(|(_, r)| r.text(names)).collect();
        let there = match others.is_empty() {
            true => format!("there is no {kind} in it"),
            false => format!("it has the {kind}s {}", list(&others)),
        };
        for document in documents {
            let unplaced = document
                .unplaced
                .first()
                .map(|(id, why)| format!("; {id} is not resolvable: {why}"));
            let why = format!("{id} was not found; {there}{}", unplaced.unwrap_or_default());
            self.unresolved(document, id, None, why, true);
        }
    }

    /// Members of a declared cluster, or instances of their own.
    fn instances(&mut self, topology: &Topology, documents: &[Document], of: Option<&Declared>) {
        let cluster = topology.cluster.as_ref();
        let belongs = |r: &Declared| match (of, cluster) {
            (Some(of), Some(cluster)) => match r.setting(CLUSTER_NAME) {
                Some((_, Setting::Resource { id, .. })) => *id == of.address,
                Some((_, Setting::Known(Value::String(name)))) => name.eq_ignore_ascii_case(&cluster.id),
                _ => false,
            },
            _ => r.setting(CLUSTER_NAME).is_none(),
        };
        let all: Vec<(&Document, &Declared)> = documents
            .iter()
            .flat_map(|d| d.declared.iter().map(move |r| (d, r)))
            .filter(|(_, r)| r.kind == Kind::Instance && belongs(r))
            .collect();
        let mut free: Vec<&Instance> = topology.instances.iter().collect();
        let mut open = Vec::new();
        let mut found = false;
        for (document, declared) in &all {
            let known = topology.instances.iter().find_map(|i| {
                let tag = i.tags.get("aws:cloudformation:logical-id");
                Some((i, Self::recognize(declared, INSTANCE_NAME, &i.id, tag)?))
            });
            match known {
                Some((instance, how)) => {
                    found = true;
                    free.retain(|i| i.id != instance.id);
                    self.instance(document, declared, instance, how, of.is_some());
                }
                None => open.push((*document, *declared)),
            }
        }
        if of.is_none() && !found {
            open.retain(|(_, r)| r.text(INSTANCE_NAME).is_none());
            let engine = topology.instances.first().map(|i| i.engine.as_str());
            open.retain(|(_, r)| r.text(ENGINE).is_none_or(|e| Some(e) == engine));
            open.retain(|(_, r)| {
                r.setting(&["SourceDBInstanceIdentifier", "replicate_source_db"])
                    .is_none()
            });
            match (open.as_slice(), topology.instances.first()) {
                ([(document, declared)], Some(primary)) => {
                    self.instance(document, declared, primary, "as the only candidate", false);
                }
                ([], _) => self.nowhere(documents, "instance", topology.id(), &all, INSTANCE_NAME),
                ([(document, declared), ..], _) => {
                    let names: Vec<&str> = open.iter().map(|(_, r)| r.address.as_str()).collect();
                    let id = topology.id();
                    let why = format!(
                        "which of {} is {id}? none is named, and no tag tells",
                        list(&names)
                    );
                    self.unresolved(document, &declared.address, None, why, true);
                }
            }
            return;
        }
        if of.is_none() {
            // Other instances of the same files are not the subject.
            return;
        }
        for (document, declared) in open {
            self.unnamed(document, declared, &mut free);
        }
        if !free.is_empty() && !all.is_empty() {
            let names: Vec<&str> = free.iter().map(|i| i.id.as_str()).collect();
            self.report.notes.push(format!(
                "members that the code does not have, for example readers of an auto scaling policy: {}",
                list(&names)
            ));
        }
    }

    /// A member without a name that is known: compared where it does not matter which one it is.
    fn unnamed(&mut self, document: &Document, declared: &Declared, free: &mut Vec<&Instance>) {
        let asked = || {
            INSTANCE
                .iter()
                .filter(|p| p.member && declared.setting(p.names).is_some())
        };
        let Some(first) = free.first().copied() else {
            let why = match declared.text(INSTANCE_NAME) {
                Some(name) => format!("{name} is no member of the cluster"),
                None => "the cluster has no member left for it".to_owned(),
            };
            self.unresolved(document, &declared.address, None, why, true);
            return;
        };
        if let Some(name) = declared.text(INSTANCE_NAME) {
            let why = format!("{name} is no member of the cluster");
            self.unresolved(document, &declared.address, None, why, true);
            return;
        }
        let alike = free
            .iter()
            .all(|i| asked().all(|p| (p.live)(i) == (p.live)(first)));
        if alike {
            free.remove(0);
            self.instance(document, declared, first, "as one of several alike", true);
        } else {
            let names: Vec<&str> = free.iter().map(|i| i.id.as_str()).collect();
            let why = format!(
                "which of {} is it? they differ, it has no name, and no tag tells",
                list(&names)
            );
            self.unresolved(document, &declared.address, None, why, true);
        }
    }

    fn instance(
        &mut self,
        document: &Document,
        declared: &Declared,
        live: &Instance,
        how: &'static str,
        member: bool,
    ) {
        self.matched(document, &declared.address, &live.id, how);
        let there = There {
            id: &live.id,
            arn: &live.arn,
            engine: &live.engine,
            member,
        };
        for property in INSTANCE.iter().filter(|p| p.member || !member) {
            self.property(document, declared, property, &(property.live)(live), &there);
        }
        self.planned(document, declared);
    }

    fn property<T>(
        &mut self,
        document: &Document,
        declared: &Declared,
        property: &Property<T>,
        live: &Value,
        there: &There<'_>,
    ) {
        let Some((name, setting)) = declared.setting(property.names) else {
            return;
        };
        let why = |why: &str| format!("not resolvable: {why}");
        let code = match setting {
            Setting::Absent => return,
            Setting::Unknown(reason) => {
                return self.unresolved(
                    document,
                    &declared.address,
                    Some(name),
                    why(reason),
                    property.decisive,
                );
            }
            Setting::Resource { id, attribute } if property.same != Same::Group || attribute.is_some() => {
                let attribute = attribute.as_ref().map(|a| format!(".{a}")).unwrap_or_default();
                let text = why(&format!("{id}{attribute} is only known in the stack"));
                return self.unresolved(document, &declared.address, Some(name), text, property.decisive);
            }
            Setting::Resource { id, .. } => {
                return self.own_group(document, declared, property, name, id, live, there);
            }
            Setting::Known(code) => code,
        };
        if live.is_null() {
            let text = "RDS does not say what it is".to_owned();
            return self.unresolved(document, &declared.address, Some(name), text, property.decisive);
        }
        let same = match property.same {
            Same::Group => plain(code).eq_ignore_ascii_case(&plain(live)),
            Same::Key if plain(code).contains("alias/") => {
                let text = why("an alias does not tell which key it is");
                return self.unresolved(document, &declared.address, Some(name), text, false);
            }
            same => is_same(same, code, live),
        };
        if same {
            self.report.same += 1;
            return;
        }
        let family = match property.same {
            Same::Group => {
                let of_code = self.declared_family(document, &plain(code));
                of_code.or_else(|| live::family(self.facts, group_kind(declared.kind), &plain(code)))
            }
            _ => None,
        };
        self.differ(
            document,
            declared,
            property,
            name,
            (code, plain(code), family),
            live,
            there,
        );
    }

    /// The family of a group that the code itself declares under this name.
    fn declared_family(&self, document: &Document, name: &str) -> Option<String> {
        let groups = document
            .declared
            .iter()
            .filter(|r| matches!(r.kind, Kind::ClusterGroup | Kind::InstanceGroup));
        let named = ["DBClusterParameterGroupName", "DBParameterGroupName", "name"];
        groups
            .filter(|r| r.text(&named).is_some_and(|n| n.eq_ignore_ascii_case(name)))
            .find_map(|r| r.text(FAMILY).map(str::to_owned))
    }

    /// A group that the same template declares.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one comparison, not of an interface"
    )]
    fn own_group<T>(
        &mut self,
        document: &Document,
        declared: &Declared,
        property: &Property<T>,
        name: &str,
        id: &str,
        live: &Value,
        there: &There<'_>,
    ) {
        let Some(group) = document.declared.iter().find(|r| r.address == id) else {
            let why = format!("not resolvable: {id} is no parameter group of the template");
            return self.unresolved(document, &declared.address, Some(name), why, property.decisive);
        };
        let live_name = plain(live);
        let kind = group_kind(declared.kind);
        let family = group.text(FAMILY).map(str::to_owned);
        let named = group.text(&["DBClusterParameterGroupName", "DBParameterGroupName"]);
        let same = match named {
            Some(named) => named.eq_ignore_ascii_case(&live_name),
            None => is_generated(&live_name, id),
        };
        if !same {
            let text = match (named, &family) {
                (Some(named), _) => named.to_owned(),
                (None, Some(family)) => format!("the stack's own {id} ({family})"),
                (None, None) => format!("the stack's own {id}"),
            };
            return self.differ(
                document,
                declared,
                property,
                name,
                (&Value::Null, text, family),
                live,
                there,
            );
        }
        self.report.same += 1;
        // The group is the stack's: so are its values.
        let Some(there) = live::group(self.facts, kind, &live_name) else {
            return;
        };
        for (parameter, code) in group.parameters() {
            let value = there.parameters.get(&parameter).and_then(|p| p.value.clone());
            if value.as_ref() == Some(&code) {
                self.report.same += 1;
                continue;
            }
            let is_static = there
                .parameters
                .get(&parameter)
                .is_some_and(|p| p.apply_type.as_deref() == Some("static"));
            let rules = updates::of(&group.type_name);
            self.report.edits.push(Edit {
                file: document.file.clone(),
                at: group.construct.clone().unwrap_or_else(|| group.address.clone()),
                property: Some("parameters".to_owned()),
                write: format!("\"{parameter}\": \"{}\"", value.clone().unwrap_or_default()),
            });
            self.report.differences.push(Difference {
                file: document.file.clone(),
                address: group.address.clone(),
                construct: group.construct.clone(),
                type_name: group.type_name.clone(),
                property: format!("Parameters.{parameter}"),
                code,
                live: value.unwrap_or_else(|| "not set".to_owned()),
                effect: Effect::Modify,
                why: match is_static {
                    true => "sets the group's parameter; a static one waits for a reboot".to_owned(),
                    false => "sets the group's parameter at once".to_owned(),
                },
                source: rules.map(|r| r.source.clone()),
                today: false,
            });
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one comparison, not of an interface"
    )]
    fn differ<T>(
        &mut self,
        document: &Document,
        declared: &Declared,
        property: &Property<T>,
        name: &str,
        (value, code, family): (&Value, String, Option<String>),
        live: &Value,
        there: &There<'_>,
    ) {
        let (effect, why) = self.effect(
            declared,
            property.same,
            name,
            &code,
            &plain(live),
            family.as_deref(),
        );
        let edit = edits::edit(document, declared, property, name, value, live, there);
        self.report.edits.extend(edit);
        self.report.differences.push(Difference {
            file: document.file.clone(),
            address: declared.address.clone(),
            construct: declared.construct.clone(),
            type_name: declared.type_name.clone(),
            property: name.to_owned(),
            code,
            live: plain(live),
            effect,
            why,
            source: updates::of(&declared.type_name).map(|r| r.source.clone()),
            today: false,
        });
    }

    pub(super) fn effect(
        &self,
        declared: &Declared,
        same: Same,
        name: &str,
        code: &str,
        live: &str,
        family: Option<&str>,
    ) -> (Effect, String) {
        if same == Same::Version
            && let (Ok(a), Ok(b)) = (code.parse::<PgVersion>(), live.parse::<PgVersion>())
        {
            if a < b {
                let why = format!(
                    "would go back to {code}: RDS does not downgrade, so the deployment fails and rolls back"
                );
                return (Effect::Refused, why);
            }
            return (
                Effect::Interrupt,
                format!("would upgrade to {code} in place, without blue/green: an outage"),
            );
        }
        if same == Same::Group
            && let (Some(family), Some(wanted)) = (family, self.family_of_live(declared.kind, live))
            && family != wanted
        {
            let why = format!(
                "a group of the family {family} does not fit: RDS refuses it, and the deployment rolls back"
            );
            return (Effect::Refused, why);
        }
        let rules = updates::of(&declared.type_name);
        let behaviour = rules.map_or(Behaviour::NoInterruption, |r| r.behaviour(name));
        let kept = match declared.update_replace_policy.as_deref() {
            _ if declared.type_name.starts_with("aws_") => "",
            Some("Retain" | "RetainExceptOnCreate") => " (the old one is kept, outside the stack)",
            Some("Snapshot") => " (the old one is deleted after a last snapshot)",
            _ => " (the old one is deleted with its data)",
        };
        match behaviour {
            Behaviour::Replacement => (
                Effect::Replace,
                format!("would REPLACE the database by another one, without its data{kept}"),
            ),
            Behaviour::Conditional => (
                Effect::MayReplace,
                format!("may replace the database by another one{kept}"),
            ),
            Behaviour::SomeInterruptions => (
                Effect::Interrupt,
                format!("would set it back to {code}; the database may restart"),
            ),
            Behaviour::NoInterruption => {
                let besides = rules.and_then(|r| r.text(name)).map(|text| format!(" ({text})"));
                (
                    Effect::Modify,
                    format!("would set it back to {code}{}", besides.unwrap_or_default()),
                )
            }
        }
    }

    fn family_of_live(&self, kind: Kind, group: &str) -> Option<String> {
        live::family(self.facts, group_kind(kind), group)
    }

    /// What a Terraform plan says by itself.
    fn planned(&mut self, document: &Document, declared: &Declared) {
        let Some(planned) = &declared.planned else { return };
        if planned.delete {
            let (what, why) = match planned.create {
                true => (
                    "destroyed and created again",
                    "the plan REPLACES the database by another one, without its data",
                ),
                false => ("destroyed", "the plan DESTROYS the database"),
            };
            let because = match planned.because.is_empty() {
                true => String::new(),
                false => format!(" (because of {})", planned.because.join(", ")),
            };
            self.report.differences.push(Difference {
                file: document.file.clone(),
                address: declared.address.clone(),
                construct: None,
                type_name: declared.type_name.clone(),
                property: "actions".to_owned(),
                code: what.to_owned(),
                live: "in use".to_owned(),
                effect: Effect::Replace,
                why: format!("{why}{because}"),
                source: updates::of(&declared.type_name).map(|r| r.source.clone()),
                today: false,
            });
        }
        let version = |text: &str| text.parse::<PgVersion>().ok();
        if let (Some(before), Some(after)) = (&planned.version_before, declared.text(VERSION))
            && let (Some(a), Some(b)) = (version(after), version(before))
            && a < b
        {
            self.report.notes.push(format!(
                "{}: the plan takes engine_version down from {before} to {after}, which RDS refuses",
                declared.address
            ));
        }
    }
}

fn group_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Cluster | Kind::ClusterGroup => "cluster",
        _ => "instance",
    }
}

/// Whether a name is one that CloudFormation makes for a resource without one: `STACK-LOGICALID-RANDOM`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html>
fn is_generated(name: &str, logical_id: &str) -> bool {
    let name = name.to_lowercase();
    let Some((rest, random)) = name.rsplit_once('-') else {
        return false;
    };
    random.len() >= 8
        && random.chars().all(|c| c.is_ascii_alphanumeric())
        && rest.ends_with(&format!("-{}", logical_id.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_told_from_others() {
        assert!(is_generated(
            "database-mainclusterparametergroup7306a627-1abcdef2ghij",
            "mainclusterparametergroup7306A627"
        ));
        for other in [
            "main-pg14",
            "default.aurora-postgresql14",
            "database-other7306a627-1abcdef2ghij",
            "x-group-1",
        ] {
            assert!(
                !is_generated(other, "mainclusterparametergroup7306A627"),
                "{other}"
            );
        }
    }
}
