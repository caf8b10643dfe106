//! One property of one resource: what the code says, what is there, and what deploying the code would do about it.

use serde_json::Value;

use super::{Comparison, FAMILY, VERSION, is_generated};
use crate::drift::{
    Difference, Edit, Effect,
    code::{Declared, Document, Kind, Setting},
    edits::{self, There},
    live,
    property::{Property, Same, is_same, plain},
    updates::{self, Behaviour},
};
use crate::model::{PgVersion, ResourceKind};

impl Comparison<'_> {
    pub(super) fn property<T>(
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
        let Some(there) = self.facts.group(kind, &live_name) else {
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

    pub(in crate::drift) fn effect(
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
    pub(super) fn planned(&mut self, document: &Document, declared: &Declared) {
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

fn group_kind(kind: Kind) -> ResourceKind {
    match kind {
        Kind::Cluster | Kind::ClusterGroup => ResourceKind::Cluster,
        _ => ResourceKind::Instance,
    }
}
