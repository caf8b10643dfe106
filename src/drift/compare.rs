//! Finds the live resources in the code and compares them property by property.

mod property;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Edit, Matched, Report, Unresolved,
    code::{Declared, Document, Kind, Setting},
    edits::There,
    property::{CLUSTER, INSTANCE},
};
use crate::facts::rds::{Instance, RdsFacts, Topology};

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
