//! The old side of a switchover: what it is called, and whether anything still uses it.

use std::fmt::Write as _;

use super::Real;
use crate::{
    cli::{CleanupArgs, TargetArgs},
    commands::{Failure, World, target},
    edge::{
        old_side,
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::rds::Topology,
    work::record::Task,
};

/// Whether a name is that of an old side: `…-oldN`.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
pub(super) fn is_old(name: &str) -> bool {
    name.rsplit_once("-old")
        .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The cluster or instance that is deleted last, where this task begins to delete it.
pub(super) fn old_of(task: &Task, tasks: &[Task]) -> Option<Old> {
    if !matches!(task, Task::DeleteInstance { .. } | Task::DeleteCluster { .. }) {
        return None;
    }
    match tasks.last()? {
        Task::DeleteCluster { id, .. } => Some(Old {
            id: id.clone(),
            cluster: true,
        }),
        Task::DeleteInstance { id, .. } => Some(Old {
            id: id.clone(),
            cluster: false,
        }),
        _ => None,
    }
}

/// A cluster or an instance by its name.
pub(super) struct Old {
    pub(super) id: String,
    pub(super) cluster: bool,
}

impl Old {
    pub(super) fn target(&self) -> TargetArgs {
        let mut target = TargetArgs::default();
        let named = match self.cluster {
            true => &mut target.subject.cluster,
            false => &mut target.subject.instance,
        };
        *named = Some(self.id.clone());
        target
    }
}

/// Refuses while anything uses the old side.
pub(super) async fn idle(args: &CleanupArgs, world: &World, real: &Real, old: &Old) -> Result<(), Failure> {
    // A run before may have deleted its instances already, and then there is nothing to connect to.
    if old.cluster {
        let cluster = real
            .lookout
            .cluster(&old.id)
            .await
            .map_err(|e| Failure::blind(e.to_string()))?;
        if cluster.is_none_or(|c| c.members.is_empty()) {
            return Ok(());
        }
    } else {
        let instance = real
            .lookout
            .instance(&old.id)
            .await
            .map_err(|e| Failure::blind(e.to_string()))?;
        if instance.is_none_or(|i| i.status == "deleting") {
            return Ok(());
        }
    }
    let progress = Progress::start();
    progress.waiting(&format!("looking whether anything uses {}", old.id));
    let found = target::find(&old.target(), &args.aws, &args.databases, world, &progress).await;
    let users = match found {
        Ok(found) => users(&found, !args.databases.connect.is_empty()).await,
        Err(failure) => Err(failure.message),
    };
    progress.finish();
    let users = users.map_err(|why| {
        let text = format!(
            "whether anything uses {} cannot be seen ({why}): it is not deleted",
            old.id
        );
        Failure::with(Exit::NotDetermined, text)
    })?;
    if users.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} is still in use, and is not deleted:", old.id);
    for user in users {
        let _ = write!(text, "\n  {user}");
    }
    text.push_str("\nend what uses it, and run it again");
    Err(Failure::with(Exit::NotReady, text))
}

/// What uses any instance of the old side, each a server of its own. Through a tunnel only the writer can be asked.
async fn users(old: &target::Target, tunnel: bool) -> Result<Vec<String>, String> {
    let mut found = old_side::users(&old.blue, true).await?;
    if tunnel {
        terminal::say(
            "note: only the writer of the old side is asked, through the tunnel; its readers are not",
        );
        return Ok(found);
    }
    let blue = old.rds.known().and_then(|rds| rds.blue.known());
    let writer = blue.and_then(Topology::writer).map(|w| w.id.clone());
    let readers = blue.into_iter().flat_map(|b| &b.instances);
    for reader in readers.filter(|i| Some(&i.id) != writer.as_ref()) {
        let Some(host) = &reader.endpoint else { continue };
        let spec = old.blue.at(host, reader.port.unwrap_or(5432));
        let users = old_side::users(&spec, false)
            .await
            .map_err(|why| format!("{}: {why}", reader.id))?;
        found.extend(users.into_iter().map(|user| format!("{}: {user}", reader.id)));
    }
    Ok(found)
}

/// Refuses where something that is not deleted with the old side replicates from it: RDS would make a database of its own of
/// it, or refuse the deletion half way.
pub(super) fn no_replicas(side: &Topology) -> Result<(), Failure> {
    let known = |name: &&String| {
        let kept = side.instances.iter().find(|i| i.id == **name);
        kept.is_some_and(|i| is_old(&i.id))
    };
    let of_cluster = side.cluster.iter().flat_map(|c| &c.read_replicas);
    let of_instances = side
        .instances
        .iter()
        .flat_map(|i| i.read_replicas.iter().chain(&i.read_replica_clusters));
    let others: Vec<&str> = of_cluster
        .chain(of_instances)
        .filter(|name| !known(name))
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Failure::with(
        Exit::NotReady,
        format!(
            "{} is still in use, and is not deleted: {} replicates from it. Delete the replica, or promote it, and run it again",
            side.id(),
            others.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn only_old_sides_are_called_so() {
        assert!(is_old("main-old1") && is_old("main-old12") && is_old("main-old1-old2"));
        assert!(
            !is_old("main")
                && !is_old("main-old")
                && !is_old("main-older1")
                && !is_old("main-old1-green-abcdef")
        );
    }
}
