//! Parameters between group and server: what is in effect, what waits for a reboot, and the reboot itself.
//!
//! A dynamic parameter set with `immediate` takes effect at once; everything else turns the members of the group's
//! users to `pending-reboot`, and stays so until each of them is rebooted: RDS never reboots for it by itself.
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithParamGroups.html>

use std::{collections::BTreeMap, sync::Arc};

use super::{
    World,
    account::{Account, Override},
    catalogue::GroupKind,
    databases::Endpoint,
    pace::Step,
};
use crate::{proxy::Proxy, rds::fault::Fault};

/// One `Parameter` of a modify call.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) method: String,
}

impl Account {
    /// What the server of a cluster would run with after a reboot: the cluster group, and over it the writer's group.
    pub(crate) fn cluster_parameters(&self, cluster: &str) -> BTreeMap<String, String> {
        let Some(cluster) = self.cluster(cluster) else {
            return BTreeMap::new();
        };
        let mut values = self.effective(GroupKind::Cluster, &cluster.parameter_group);
        if let Some(writer) = self.writer(cluster)
            && let Some(group) = self.group(GroupKind::Instance, &writer.parameter_group)
        {
            values.extend(group.overrides.into_iter().map(|(name, set)| (name, set.value)));
        }
        values
    }

    /// What the server of an instance on its own would run with after a reboot.
    pub(crate) fn instance_parameters(&self, instance: &str) -> BTreeMap<String, String> {
        self.instance(instance)
            .map(|instance| self.effective(GroupKind::Instance, &instance.parameter_group))
            .unwrap_or_default()
    }

    /// Puts settings into a group and tells its users; the resources whose servers must reload are returned.
    ///
    /// # Errors
    /// The fault that RDS answers for a default group, an unknown or unmodifiable name, or a value out of range.
    pub(crate) fn set_parameters(
        &mut self,
        kind: GroupKind,
        name: &str,
        settings: Vec<Setting>,
    ) -> Result<Vec<String>, Fault> {
        let name = name.to_ascii_lowercase();
        let group = self
            .group(kind, &name)
            .ok_or_else(|| Fault::parameter_group_not_found(&name))?;
        if group.is_default() {
            return Err(Fault::invalid_value(format!(
                "The parameter group {name} is a default parameter group and can't be modified."
            )));
        }
        if settings.is_empty() || settings.len() > 20 {
            return Err(Fault::invalid_value(
                "A request must modify at least 1 and at most 20 parameters.",
            ));
        }
        let definitions: BTreeMap<_, _> = group
            .definitions()
            .into_iter()
            .map(|definition| (definition.name.clone(), definition))
            .collect();
        let mut at_once = Vec::new();
        let mut waits = false;
        for setting in &settings {
            let definition = definitions.get(&setting.name).ok_or_else(|| {
                Fault::invalid_value(format!("Could not find parameter with name: {}", setting.name))
            })?;
            if !definition.modifiable {
                return Err(Fault::invalid_value(format!(
                    "The parameter {} cannot be modified.",
                    setting.name
                )));
            }
            if !allowed(&definition.allowed, &setting.value) {
                return Err(Fault::invalid_value(format!(
                    "Invalid parameter value: {} for: {} allowed values are: {}",
                    setting.value, setting.name, definition.allowed
                )));
            }
            match (definition.is_static, setting.method.as_str()) {
                (true, "immediate") => {
                    return Err(Fault::invalid_combination(format!(
                        "cannot use immediate apply method for static parameter: {}",
                        setting.name
                    )));
                }
                (false, "immediate") => at_once.push((setting.name.clone(), setting.value.clone())),
                (_, "pending-reboot") => waits = true,
                (_, other) => return Err(Fault::invalid_value(format!("Invalid ApplyMethod: {other}"))),
            }
        }
        let group = self
            .groups
            .get_mut(&(kind, name.clone()))
            .expect("only default groups exist without an entry");
        for setting in settings {
            group.overrides.insert(
                setting.name,
                Override {
                    value: setting.value,
                    method: setting.method,
                },
            );
        }
        Ok(self.tell_users(kind, &name, &at_once, waits))
    }

    fn tell_users(
        &mut self,
        kind: GroupKind,
        group: &str,
        at_once: &[(String, String)],
        waits: bool,
    ) -> Vec<String> {
        let mut changed = Vec::new();
        if kind == GroupKind::Cluster {
            let users = self.clusters.values_mut();
            for cluster in users.filter(|found| found.parameter_group == group) {
                cluster.in_effect.extend(at_once.iter().cloned());
                changed.push(cluster.resource_id.clone());
                if waits {
                    for member in &mut cluster.members {
                        "pending-reboot".clone_into(&mut member.parameter_status);
                    }
                }
            }
            return changed;
        }
        let users = self.instances.values_mut();
        for instance in users.filter(|found| found.parameter_group == group) {
            if waits {
                "pending-reboot".clone_into(&mut instance.parameter_status);
            }
            instance.in_effect.extend(at_once.iter().cloned());
            changed.push(instance.resource_id.clone());
            let writes = |cluster: &super::account::Cluster| {
                let mut members = cluster.members.iter();
                members.any(|member| member.writer && member.id == instance.id)
            };
            for cluster in self.clusters.values_mut().filter(|cluster| writes(cluster)) {
                cluster.in_effect.extend(at_once.iter().cloned());
                changed.push(cluster.resource_id.clone());
            }
        }
        changed
    }

    /// What a reboot of an instance leaves in the account: everything in sync, the server on its groups' values.
    pub(crate) fn rebooted(&mut self, id: &str) {
        let Some(instance) = self.instance(id) else {
            return;
        };
        let id = instance.id.clone();
        let owner = instance.cluster.clone();
        let values = match &owner {
            Some(cluster) => self.cluster_parameters(cluster),
            None => self.instance_parameters(&id),
        };
        let mut writes = owner.is_none();
        if let Some(cluster) = owner.and_then(|cluster| self.clusters.get_mut(&cluster)) {
            for member in cluster.members.iter_mut().filter(|member| member.id == id) {
                "in-sync".clone_into(&mut member.parameter_status);
                writes = member.writer;
            }
            if writes {
                cluster.in_effect.clone_from(&values);
            }
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            "in-sync".clone_into(&mut instance.parameter_status);
            if writes {
                instance.in_effect = values;
            }
        }
    }
}

/// Whether a value is among `0,1`, within `1-100`, or there is no rule. Formulas pass, as they do at RDS.
fn allowed(rule: &str, value: &str) -> bool {
    if rule.is_empty() || value.contains('{') || value.contains('(') {
        return true;
    }
    let bounds = rule.strip_prefix('-').map_or_else(
        || rule.split_once('-').map(|(low, high)| (low.to_owned(), high)),
        |rest| rest.split_once('-').map(|(low, high)| (format!("-{low}"), high)),
    );
    match bounds {
        Some((low, high)) if !rule.contains(',') => {
            match (low.parse::<f64>(), high.parse::<f64>(), value.parse::<f64>()) {
                (Ok(low), Ok(high), Ok(value)) => (low..=high).contains(&value),
                (Ok(_), Ok(_), Err(_)) => false,
                _ => true,
            }
        }
        _ => rule.split(',').any(|allowed| allowed == value),
    }
}

impl World {
    /// Reboots an instance: the account says `rebooting` until the server is back.
    pub(crate) fn begin_reboot(self: &Arc<Self>, id: &str) -> Result<(), Fault> {
        let id = self.edit(|account| {
            let instance = account
                .instance_mut(id)
                .ok_or_else(|| Fault::instance_not_found(id))?;
            if instance.status != "available" {
                return Err(Fault::instance_state(format!(
                    "Instance {} is not in available state, but in {}.",
                    instance.id, instance.status
                )));
            }
            "rebooting".clone_into(&mut instance.status);
            Ok(instance.id.clone())
        })?;
        let world = Arc::clone(self);
        self.spawn(async move { world.reboot(&id).await });
        Ok(())
    }

    async fn reboot(self: Arc<Self>, id: &str) {
        self.pace.step(Step::Reboot).await;
        let (server, writes) = self.edit(|account| {
            account.rebooted(id);
            let alone = account
                .instance(id)
                .is_some_and(|found| found.cluster.is_none() && found.replica_source.is_none());
            (account.server_of(id), alone || account.is_writer(id))
        });
        let mut status = "available";
        if let Some(server) = server.filter(|_| writes)
            && let Err(error) = self.restart_server(&server).await
        {
            // What RDS says of an instance that does not start with its parameters.
            tracing::warn!(instance = id, %error, "the server did not come back");
            status = "incompatible-parameters";
        } else if !writes && let Some(databases) = self.databases() {
            let reader = databases.endpoint(&Endpoint::Instance(id.to_owned()));
            reader.iter().for_each(Proxy::drop_connections);
        }
        self.edit(|account| {
            if let Some(instance) = account.instance_mut(id) {
                status.clone_into(&mut instance.status);
                account.event(
                    "RDS-EVENT-0006",
                    "db-instance",
                    id,
                    "availability",
                    "DB instance restarted",
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn values_are_held_against_the_rule() {
        for (rule, value, fits) in [
            ("0,1", "1", true),
            ("0,1", "2", false),
            ("0-262143", "25", true),
            ("0-262143", "x", false),
            ("-1-100", "-1", true),
            ("-1-100", "-2", false),
            ("", "anything", true),
            ("1-8", "GREATEST(4,{DBInstanceVCPU})", true),
            ("md5+scram,scram", "scram", true),
        ] {
            assert_eq!(allowed(rule, value), fits, "{rule} {value}");
        }
    }
}
