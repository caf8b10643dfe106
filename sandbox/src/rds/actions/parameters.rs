//! Describe calls over parameter groups and engine defaults.

use super::Reply;
use crate::{
    rds::{fault::Fault, page::page, params::Params, shapes, xml::Xml},
    world::{
        account::{Account, Override, ParameterGroup},
        catalogue::{Catalogue, GroupKind, ParameterDefinition, family_parts},
    },
};

pub(super) fn cluster_parameters(account: &Account, params: &Params) -> Reply {
    let name = params.required("DBClusterParameterGroupName")?;
    // The not-found code of this call is that of instance groups: so says the model.
    let group = account
        .group(GroupKind::Cluster, &account.local_id("cluster-pg", name))
        .ok_or_else(|| Fault::parameter_group_not_found(name))?;
    parameters(&group, params)
}

pub(super) fn instance_parameters(account: &Account, params: &Params) -> Reply {
    let name = params.required("DBParameterGroupName")?;
    let group = account
        .group(GroupKind::Instance, &account.local_id("pg", name))
        .ok_or_else(|| Fault::parameter_group_not_found(name))?;
    parameters(&group, params)
}

fn parameters(group: &ParameterGroup, params: &Params) -> Reply {
    let filters = params.filters(&["parameter-name"])?;
    let source = params.get("Source");
    let rows: Vec<Xml> = group
        .definitions()
        .into_iter()
        .filter(|definition| filters.allows("parameter-name", &[&definition.name]))
        .map(|definition| {
            let set = group.overrides.get(&definition.name);
            (origin(&definition, set), definition, set)
        })
        .filter(|(origin, ..)| source.is_none_or(|source| source == *origin))
        .map(|(origin, definition, set)| parameter(&definition, set, origin))
        .collect();
    let (rows, marker) = page(rows, params, 100)?;
    Ok(Xml::new("").list("Parameters", rows).maybe("Marker", marker))
}

/// `user` for what was set, `system` for what RDS gives a value, `engine-default` for the rest.
fn origin(definition: &ParameterDefinition, set: Option<&Override>) -> &'static str {
    match (set, &definition.default) {
        (Some(_), _) => "user",
        (None, Some(_)) => "system",
        (None, None) => "engine-default",
    }
}

fn parameter(definition: &ParameterDefinition, set: Option<&Override>, origin: &str) -> Xml {
    let value = set
        .map(|set| set.value.as_str())
        .or(definition.default.as_deref());
    let method = set.map_or("pending-reboot", |set| set.method.as_str());
    Xml::new("Parameter")
        .text("ParameterName", &definition.name)
        .maybe("ParameterValue", value)
        .maybe(
            "Description",
            Some(&definition.description).filter(|text| !text.is_empty()),
        )
        .text("Source", origin)
        .text(
            "ApplyType",
            if definition.is_static { "static" } else { "dynamic" },
        )
        .text("DataType", &definition.data_type)
        .maybe(
            "AllowedValues",
            Some(&definition.allowed).filter(|text| !text.is_empty()),
        )
        .text("IsModifiable", definition.modifiable)
        .text("ApplyMethod", method)
}

pub(super) fn default_cluster_parameters(account: &Account, params: &Params) -> Reply {
    defaults(account, params, GroupKind::Cluster)
}

pub(super) fn default_instance_parameters(account: &Account, params: &Params) -> Reply {
    defaults(account, params, GroupKind::Instance)
}

fn defaults(_: &Account, params: &Params, kind: GroupKind) -> Reply {
    let family = params.required("DBParameterGroupFamily")?;
    let (engine, major) = family_parts(family)
        .filter(|family| Catalogue::get().families().contains(family))
        .ok_or_else(|| {
            Fault::invalid_value(format!(
                "ParameterGroupFamily {family} is not a valid parameter group family"
            ))
        })?;
    let filters = params.filters(&["parameter-name"])?;
    let rows: Vec<Xml> = Catalogue::get()
        .parameters(engine, major, kind)
        .into_iter()
        .filter(|definition| filters.allows("parameter-name", &[&definition.name]))
        .map(|definition| parameter(&definition, None, origin(&definition, None)))
        .collect();
    let (rows, marker) = page(rows, params, 100)?;
    Ok(Xml::new("").child(
        Xml::new("EngineDefaults")
            .text("DBParameterGroupFamily", family)
            .maybe("Marker", marker)
            .list("Parameters", rows),
    ))
}

pub(super) fn cluster_groups(account: &Account, params: &Params) -> Reply {
    let name = params.get("DBClusterParameterGroupName");
    let groups = groups(account, params, GroupKind::Cluster, name)
        .ok_or_else(|| Fault::parameter_group_not_found(name.unwrap_or_default()))?;
    let (groups, marker) = page(groups, params, 100)?;
    Ok(Xml::new("")
        .list(
            "DBClusterParameterGroups",
            groups.iter().map(|group| shapes::group(account, group)),
        )
        .maybe("Marker", marker))
}

pub(super) fn instance_groups(account: &Account, params: &Params) -> Reply {
    let name = params.get("DBParameterGroupName");
    let groups = groups(account, params, GroupKind::Instance, name)
        .ok_or_else(|| Fault::parameter_group_not_found(name.unwrap_or_default()))?;
    let (groups, marker) = page(groups, params, 100)?;
    Ok(Xml::new("")
        .list(
            "DBParameterGroups",
            groups.iter().map(|group| shapes::group(account, group)),
        )
        .maybe("Marker", marker))
}

/// The named group, or all that exist: those that were made, and the default groups of families in use.
fn groups(account: &Account, _: &Params, kind: GroupKind, name: Option<&str>) -> Option<Vec<ParameterGroup>> {
    if let Some(name) = name {
        let arn_kind = match kind {
            GroupKind::Cluster => "cluster-pg",
            GroupKind::Instance => "pg",
        };
        return account
            .group(kind, &account.local_id(arn_kind, name))
            .map(|group| vec![group]);
    }
    let made = account
        .groups
        .iter()
        .filter(|((of_kind, _), _)| *of_kind == kind)
        .map(|(_, group)| group.clone());
    let defaults = account
        .default_groups
        .iter()
        .filter(|(of_kind, _)| *of_kind == kind)
        .filter_map(|(_, family)| account.group(kind, &format!("default.{family}")));
    let mut all: Vec<_> = made.chain(defaults).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Some(all)
}
