//! Renaming: identifiers, ARNs and everything that points at them move; resource IDs stay.

use super::account::Account;

impl Account {
    /// Gives a cluster another identifier.
    pub(crate) fn rename_cluster(&mut self, old: &str, new: &str) {
        let Some(mut cluster) = self.clusters.remove(old) else {
            return;
        };
        new.clone_into(&mut cluster.id);
        self.clusters.insert(new.to_owned(), cluster);
        for instance in self.instances.values_mut() {
            if instance.cluster.as_deref() == Some(old) {
                instance.cluster = Some(new.to_owned());
            }
        }
        for endpoint in self
            .endpoints
            .values_mut()
            .filter(|endpoint| endpoint.cluster == old)
        {
            new.clone_into(&mut endpoint.cluster);
        }
    }

    /// Gives an instance another identifier.
    pub(crate) fn rename_instance(&mut self, old: &str, new: &str) {
        let Some(mut instance) = self.instances.remove(old) else {
            return;
        };
        new.clone_into(&mut instance.id);
        self.instances.insert(new.to_owned(), instance);
        let members = self
            .clusters
            .values_mut()
            .flat_map(|cluster| &mut cluster.members);
        for member in members.filter(|member| member.id == old) {
            new.clone_into(&mut member.id);
        }
        for other in self.instances.values_mut() {
            if other.replica_source.as_deref() == Some(old) {
                other.replica_source = Some(new.to_owned());
            }
            for replica in other.replicas.iter_mut().filter(|replica| *replica == old) {
                new.clone_into(replica);
            }
        }
    }

    /// `<id>-old1`, or the first number that is free.
    pub(crate) fn old_name(&self, kind: &str, id: &str) -> String {
        (1_u32..)
            .map(|n| format!("{id}-old{n}"))
            .find(|name| match kind {
                "cluster" => !self.clusters.contains_key(name),
                _ => !self.instances.contains_key(name),
            })
            .expect("numbers do not run out")
    }
}
