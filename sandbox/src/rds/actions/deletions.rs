//! Calls that snapshot and delete.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    rds::{fault::Fault, params::Params, shapes, xml::Xml},
    world::{
        World,
        account::{Account, Snapshot, Tags},
    },
};

type Reply = Result<Option<Xml>, Fault>;

pub(super) async fn deployment(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("BlueGreenDeploymentIdentifier")?;
    let deployment = world.begin_deletion(id, params.boolean("DeleteTarget")?)?;
    Ok(Some(Xml::new("").child(shapes::deployment(&deployment))))
}

/// `SkipFinalSnapshot` and `FinalDBSnapshotIdentifier` exclude each other, and one of them is needed.
fn final_snapshot<'a>(params: &'a Params, skip: bool, field: &str) -> Result<Option<&'a str>, Fault> {
    match (skip, params.get(field)) {
        (false, None) => Err(Fault::invalid_combination(format!(
            "{field} is required unless SkipFinalSnapshot is specified."
        ))),
        (true, Some(_)) => Err(Fault::invalid_combination(format!(
            "{field} can not be specified when deleting with SkipFinalSnapshot."
        ))),
        (_, name) => Ok(name),
    }
}

pub(super) async fn instance(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBInstanceIdentifier")?;
    let member = world.read(|account| account.instance(id).is_some_and(|found| found.cluster.is_some()));
    // A member's data belong to its cluster: there is nothing to snapshot.
    let skip = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let name = if member {
        None
    } else {
        final_snapshot(&params, skip, "FinalDBSnapshotIdentifier")?
    };
    if let Some(name) = name {
        take(&world, name, false, id, Tags::new())?;
    }
    world.begin_instance_deletion(id)?;
    world.read(|account| {
        let instance = account
            .instance(id)
            .ok_or_else(|| Fault::instance_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::instance(account, instance))))
    })
}

pub(super) async fn cluster(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBClusterIdentifier")?;
    world.read(|account| {
        account
            .cluster(id)
            .map(|_| ())
            .ok_or_else(|| Fault::cluster_not_found(id))
    })?;
    let skip = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let name = final_snapshot(&params, skip, "FinalDBSnapshotIdentifier")?;
    world.begin_cluster_deletion(id)?;
    if let Some(name) = name {
        take(&world, name, true, id, Tags::new())?;
    }
    world.read(|account| {
        let cluster = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::cluster(account, cluster))))
    })
}

pub(super) async fn snapshot_cluster(world: Arc<World>, params: Params) -> Reply {
    let name = params.required("DBClusterSnapshotIdentifier")?;
    let id = params.required("DBClusterIdentifier")?;
    take(&world, name, true, id, params.tags()).map(Some)
}

pub(super) async fn snapshot_instance(world: Arc<World>, params: Params) -> Reply {
    let name = params.required("DBSnapshotIdentifier")?;
    let id = params.required("DBInstanceIdentifier")?;
    take(&world, name, false, id, params.tags()).map(Some)
}

fn take(world: &Arc<World>, name: &str, of_cluster: bool, source: &str, tags: Tags) -> Result<Xml, Fault> {
    let name = name.to_ascii_lowercase();
    let snapshot = world.edit(|account| {
        let made = draft(account, &name, of_cluster, source, tags)?;
        if account.snapshots.contains_key(&name) {
            let code = match of_cluster {
                true => "DBClusterSnapshotAlreadyExistsFault",
                false => "DBSnapshotAlreadyExists",
            };
            return Err(Fault::bad(
                code,
                format!(
                    "Cannot create the snapshot because a snapshot with the identifier {name} already exists."
                ),
            ));
        }
        account.snapshots.insert(name.clone(), made.clone());
        Ok(made)
    })?;
    world.finish_snapshot(name);
    Ok(Xml::new("").child(world.read(|account| shapes::snapshot(account, &snapshot))))
}

fn draft(
    account: &Account,
    name: &str,
    of_cluster: bool,
    source: &str,
    tags: Tags,
) -> Result<Snapshot, Fault> {
    let (source, engine, version, user) = if of_cluster {
        let found = account
            .cluster(source)
            .ok_or_else(|| Fault::cluster_not_found(source))?;
        (
            &found.id,
            &found.engine,
            &found.engine_version,
            &found.master_username,
        )
    } else {
        let found = account
            .instance(source)
            .ok_or_else(|| Fault::instance_not_found(source))?;
        (
            &found.id,
            &found.engine,
            &found.engine_version,
            &found.master_username,
        )
    };
    Ok(Snapshot {
        id: name.to_owned(),
        of_cluster,
        source: source.clone(),
        engine: engine.clone(),
        engine_version: version.clone(),
        master_username: user.clone(),
        created: Timestamp::now(),
        status: "creating".to_owned(),
        tags,
    })
}
