//! What stands around the database in the code, and what to know before anybody deploys it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Difference, Edit, Unresolved, ahead,
    code::{Declared, Document, Kind, Language, Setting},
    compare::{Comparison, VERSION},
    live,
    property::{Same, is_same, plain},
    updates,
};
use crate::facts::rds::Topology;

impl Comparison<'_> {
    /// What stands around the database, and what to know before anybody deploys.
    pub(super) fn around(&mut self, topology: &Topology, documents: &[Document], looks_ahead: bool) {
        let ours: BTreeSet<String> = self.report.matched.iter().map(|m| m.address.clone()).collect();
        let mut notes = Vec::new();
        for document in documents {
            let refers = |r: &Declared, names: &[&str]| match r.setting(names) {
                Some((_, Setting::Resource { id, .. })) => ours.contains(id),
                Some((_, Setting::Known(value))) => {
                    let text = value.to_string().to_lowercase();
                    text.contains(&format!("\"{}\"", topology.id()))
                        || text.contains(&format!(":{}\"", topology.id()))
                }
                Some((_, Setting::Unknown(why))) => ours.iter().any(|id| why.contains(id.as_str())),
                _ => false,
            };
            for declared in &document.declared {
                let address = &declared.address;
                match declared.kind {
                    Kind::ProxyTargets
                        if refers(
                            declared,
                            &[
                                "DBClusterIdentifiers",
                                "DBInstanceIdentifiers",
                                "db_cluster_identifier",
                                "db_instance_identifier",
                            ],
                        ) =>
                    {
                        notes.push(format!("{address} registers the database with a proxy: see `aws rds describe-db-proxy-targets` after the switchover"));
                    }
                    Kind::Integration if refers(declared, &["SourceArn", "source_arn"]) => {
                        notes.push(format!("{address} is a zero-ETL integration of the database: it must be gone before the switchover, and the stack does not know"));
                    }
                    Kind::Cluster
                        if ours.contains(address) && declared.setting(&["SnapshotIdentifier"]).is_some() =>
                    {
                        notes.push(format!(
                            "{address} has a SnapshotIdentifier: leave it as it is, changing or removing it REPLACES \
                             the database"
                        ));
                    }
                    Kind::GlobalCluster => self.global(document, declared, topology.id()),
                    _ => {}
                }
            }
            for (id, attribute) in &document.attributes_read {
                if ours.contains(id) && matches!(attribute.as_str(), "DBClusterResourceId" | "DbiResourceId")
                {
                    notes.push(format!("{id}.{attribute} is used in {}: the switchover changes it, and what was made with the old one (IAM policies, alarms) stays as it is until it is deployed again", document.file));
                }
            }
            for (id, why) in &document.unplaced {
                self.report.unresolved.push(Unresolved {
                    file: document.file.clone(),
                    address: id.clone(),
                    property: None,
                    why: format!("not resolvable: {why}"),
                    decisive: false,
                });
            }
        }
        let cloudformation = documents.iter().any(|d| !d.language.is_terraform());
        if cloudformation && !self.report.differences.is_empty() {
            notes.push("CloudFormation compares a template with the one before it: nothing happens until a resource's code changes, and then all of its properties count".to_owned());
        }
        let states = documents.iter().any(|d| d.language == Language::TerraformState);
        if states && !self.report.differences.is_empty() {
            notes.push("a state shows what Terraform saw last, not what the code says: look at a plan as well, and run `terraform apply -refresh-only` once the code is right".to_owned());
        }
        if let Some(old) = live::left_over(self.facts)
            && documents.iter().any(|d| {
                d.declared
                    .iter()
                    .any(|r| matches!(r.kind, Kind::ClusterGroup | Kind::InstanceGroup))
            })
            && !self.report.differences.is_empty()
        {
            notes.push(format!(
                "a parameter group that leaves the code is deleted, which fails while {} still uses it",
                old.id()
            ));
        }
        if looks_ahead {
            notes.extend(ahead::note(self.facts));
        }
        self.report.notes.extend(notes);
    }

    fn global(&mut self, document: &Document, declared: &Declared, subject: &str) {
        let Some(global) = self.facts.global_cluster.known().and_then(Option::as_ref) else {
            return;
        };
        let named = declared.text(&["GlobalClusterIdentifier", "global_cluster_identifier"]);
        if named.is_some_and(|name| !name.eq_ignore_ascii_case(&global.id)) {
            return;
        }
        self.matched(
            document,
            &declared.address,
            &global.id,
            "as the cluster's global cluster",
        );
        let live = Value::String(self.report.version.clone());
        let Some((name, Setting::Known(code))) = declared.setting(VERSION) else {
            return;
        };
        if is_same(Same::Version, code, &live) {
            self.report.same += 1;
            return;
        }
        let (name, code) = (name.to_owned(), plain(code));
        let (effect, why) = self.effect(declared, Same::Version, &name, &code, &plain(&live), None);
        self.report.edits.push(Edit {
            file: document.file.clone(),
            at: declared.address.clone(),
            property: Some(name.clone()),
            write: format!("{name}: {live}"),
        });
        self.report.differences.push(Difference {
            file: document.file.clone(),
            address: declared.address.clone(),
            construct: declared.construct.clone(),
            type_name: declared.type_name.clone(),
            property: name,
            code,
            live: plain(&live),
            effect,
            why: format!("{why} (through {}'s global cluster)", subject),
            source: updates::of(&declared.type_name).map(|r| r.source.clone()),
            today: false,
        });
    }
}
