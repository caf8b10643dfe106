//! Describe calls over what happened and what waits: events, maintenance, logs, tags, quotas.

use jiff::{SignedDuration, Timestamp};

use super::Reply;
use crate::{
    rds::{fault::Fault, page::page, params::Params, shapes, xml::Xml},
    world::{
        account::{Account, Instance},
        catalogue::GroupKind,
    },
};

/// Manual snapshots of clusters. Source:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusterSnapshots.html>
pub(super) fn cluster_snapshots(account: &Account, params: &Params) -> Reply {
    snapshots(account, params, true)
}

/// Manual snapshots of instances. Source:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>
pub(super) fn instance_snapshots(account: &Account, params: &Params) -> Reply {
    snapshots(account, params, false)
}

fn snapshots(account: &Account, params: &Params, of_cluster: bool) -> Reply {
    let (list, name, source, fault) = match of_cluster {
        true => (
            "DBClusterSnapshots",
            "DBClusterSnapshotIdentifier",
            "DBClusterIdentifier",
            "DBClusterSnapshotNotFoundFault",
        ),
        false => (
            "DBSnapshots",
            "DBSnapshotIdentifier",
            "DBInstanceIdentifier",
            "DBSnapshotNotFound",
        ),
    };
    let (id, source) = (params.get(name), params.get(source));
    let found: Vec<_> = account
        .snapshots
        .values()
        .filter(|found| found.of_cluster == of_cluster)
        .filter(|found| id.is_none_or(|wanted| found.id.eq_ignore_ascii_case(wanted)))
        .filter(|found| source.is_none_or(|wanted| found.source.eq_ignore_ascii_case(wanted)))
        .collect();
    if let (Some(id), true) = (id, found.is_empty()) {
        return Err(Fault::new(
            404,
            fault,
            format!("{} not found: {id}", name.trim_end_matches("Identifier")),
        ));
    }
    let (found, marker) = page(found, params, 100)?;
    Ok(Xml::new("")
        .list(
            list,
            found.into_iter().map(|found| shapes::snapshot(account, found)),
        )
        .maybe("Marker", marker))
}

/// Events are kept for 14 days and shown for the last hour unless asked otherwise.
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html>
pub(super) fn events(account: &Account, params: &Params) -> Reply {
    params.filters(&[])?;
    let source_type = params.get("SourceType");
    let source = params.get("SourceIdentifier");
    if source.is_some() && source_type.is_none() {
        return Err(Fault::invalid_combination(
            "SourceType is required when SourceIdentifier is supplied",
        ));
    }
    let now = Timestamp::now();
    let moment = |name: &str| {
        params
            .get(name)
            .map(|text| {
                text.parse::<Timestamp>()
                    .map_err(|_| Fault::invalid_value(format!("{name} {text} is not an ISO 8601 time")))
            })
            .transpose()
    };
    let minutes = params.integer("Duration")?.unwrap_or(60);
    if !(1..=20160).contains(&minutes) {
        return Err(Fault::invalid_value(format!(
            "Duration {minutes} must be between 1 and 20160 minutes"
        )));
    }
    let window = SignedDuration::from_mins(minutes);
    let end = moment("EndTime")?;
    let start = match (moment("StartTime")?, end) {
        (Some(start), _) => start,
        (None, Some(end)) => end - window,
        (None, None) => now - window,
    };
    let end = end.unwrap_or(now);
    let categories = params.values("EventCategories");
    let found: Vec<_> = account
        .events
        .iter()
        .filter(|event| event.date >= start && event.date <= end)
        .filter(|event| source_type.is_none_or(|wanted| event.source_type == wanted))
        .filter(|event| source.is_none_or(|wanted| event.source.eq_ignore_ascii_case(wanted)))
        .filter(|event| categories.is_empty() || categories.iter().any(|wanted| wanted == event.category))
        .collect();
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|event| {
        Xml::new("Event")
            .text("SourceIdentifier", &event.source)
            .text("SourceType", event.source_type)
            .text("Message", &event.message)
            .texts("EventCategories", "EventCategory", [event.category])
            .text("Date", shapes::time(event.date))
            .text("SourceArn", &event.arn)
    });
    Ok(Xml::new("").list("Events", members).maybe("Marker", marker))
}

pub(super) fn pending_maintenance(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&["db-cluster-id", "db-instance-id"])?;
    let wanted = params.get("ResourceIdentifier");
    let mut found: Vec<_> = account
        .maintenance
        .iter()
        .filter(|action| wanted.is_none_or(|wanted| action.arn == wanted))
        .filter(|action| {
            let name = action.arn.rsplit(':').next().unwrap_or_default();
            filters.allows("db-cluster-id", &[&action.arn, name])
                && filters.allows("db-instance-id", &[&action.arn, name])
        })
        .collect();
    found.sort_by(|a, b| a.arn.cmp(&b.arn));
    let (found, marker) = page(found, params, 100)?;
    let members = found.chunk_by(|a, b| a.arn == b.arn).map(|actions| {
        let details = actions.iter().map(|action| {
            Xml::new("PendingMaintenanceAction")
                .text("Action", &action.action)
                .text("Description", &action.description)
        });
        Xml::new("ResourcePendingMaintenanceActions")
            .text("ResourceIdentifier", &actions[0].arn)
            .list("PendingMaintenanceActionDetails", details)
    });
    let members: Vec<_> = members.collect();
    Ok(Xml::new("")
        .list("PendingMaintenanceActions", members)
        .maybe("Marker", marker))
}

pub(super) fn account_attributes(account: &Account, _: &Params) -> Reply {
    let count = |kind| account.groups.keys().filter(|(of, _)| *of == kind).count();
    let storage: i64 = account
        .instances
        .values()
        .filter(|instance| instance.cluster.is_none())
        .map(|instance| instance.allocated_storage)
        .sum();
    let quotas = [
        ("DBInstances", account.instances.len(), account.max_instances),
        (
            "AllocatedStorage",
            usize::try_from(storage).unwrap_or_default(),
            100_000,
        ),
        (
            "DBParameterGroups",
            count(GroupKind::Instance),
            account.max_instances.max(50),
        ),
        (
            "DBClusterParameterGroups",
            count(GroupKind::Cluster),
            account.max_instances.max(50),
        ),
        (
            "DBClusters",
            account.clusters.len(),
            account.max_instances.max(40),
        ),
        ("ManualSnapshots", account.snapshots.len(), 100),
        ("ReadReplicasPerMaster", 0, 15),
        ("ReservedDBInstances", 0, 40),
    ];
    let members = quotas.map(|(name, used, most)| {
        Xml::new("AccountQuota")
            .text("AccountQuotaName", name)
            .text("Used", used)
            .text("Max", most)
    });
    Ok(Xml::new("").list("AccountQuotas", members))
}

pub(super) fn tags(account: &Account, params: &Params) -> Reply {
    let arn = params.required("ResourceName")?;
    // Default groups carry no tags but exist.
    let mut copy = account.clone();
    let tags = match copy.tags_mut(arn) {
        Some(tags) => tags.clone(),
        None => return Err(resource_not_found(account, arn)),
    };
    Ok(Xml::new("").list("TagList", shapes::tag_list(&tags)))
}

/// The fault for an ARN that names nothing, which depends on the kind it names.
pub(super) fn resource_not_found(account: &Account, arn: &str) -> Fault {
    let own = format!("arn:aws:rds:{}:{}:", account.region, account.id);
    let Some((kind, name)) = arn.strip_prefix(&own).and_then(|rest| rest.split_once(':')) else {
        return Fault::invalid_value(format!("Invalid resource name: {arn}"));
    };
    match kind {
        "cluster" => Fault::cluster_not_found(name),
        "db" => Fault::instance_not_found(name),
        "deployment" => Fault::deployment_not_found(name),
        "cluster-pg" | "pg" => Fault::parameter_group_not_found(name),
        "cluster-snapshot" | "snapshot" => {
            Fault::new(404, "DBSnapshotNotFound", format!("DBSnapshot {name} not found."))
        }
        _ => Fault::invalid_value(format!("Invalid resource name: {arn}")),
    }
}

fn logged<'a>(account: &'a Account, params: &Params) -> Result<&'a Instance, Fault> {
    let id = params.required("DBInstanceIdentifier")?;
    account.instance(id).ok_or_else(|| Fault::instance_not_found(id))
}

pub(super) fn log_files(account: &Account, params: &Params) -> Reply {
    let instance = logged(account, params)?;
    let contains = params.get("FilenameContains").unwrap_or_default();
    let since = params.integer("FileLastWritten")?.unwrap_or(0);
    let size = params.integer("FileSize")?.unwrap_or(0);
    let found: Vec<_> = instance
        .logs
        .iter()
        .filter(|(name, log)| {
            let long = i64::try_from(log.text.len()).unwrap_or(i64::MAX);
            name.contains(contains) && log.written.as_millisecond() >= since && long >= size
        })
        .collect();
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|(name, log)| {
        Xml::new("DescribeDBLogFilesDetails")
            .text("LogFileName", name)
            .text("LastWritten", log.written.as_millisecond())
            .text("Size", log.text.len())
    });
    Ok(Xml::new("")
        .list("DescribeDBLogFiles", members)
        .maybe("Marker", marker))
}

/// At most 1 MB a call; the marker is where the next portion starts.
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DownloadDBLogFilePortion.html>
pub(super) fn log_portion(account: &Account, params: &Params) -> Reply {
    const MOST: usize = 1 << 20;
    let instance = logged(account, params)?;
    let name = params.required("LogFileName")?;
    let log = instance.logs.get(name).ok_or_else(|| {
        Fault::new(
            404,
            "DBLogFileNotFoundFault",
            format!("Log file {name} not found"),
        )
    })?;
    let start = match params.get("Marker") {
        None => 0,
        Some(marker) => marker
            .rsplit(':')
            .next()
            .and_then(|offset| offset.parse::<usize>().ok())
            .ok_or_else(|| Fault::invalid_value(format!("Marker {marker} is not valid")))?,
    };
    let mut start = start.min(log.text.len());
    while !log.text.is_char_boundary(start) {
        start -= 1;
    }
    let lines = params
        .integer("NumberOfLines")?
        .and_then(|lines| usize::try_from(lines).ok())
        .unwrap_or(usize::MAX);
    let mut end = start;
    for line in log.text[start..].split_inclusive('\n').take(lines) {
        if end + line.len() - start > MOST {
            break;
        }
        end += line.len();
    }
    Ok(Xml::new("")
        .text("LogFileData", &log.text[start..end])
        .text("Marker", format!("1:{end}"))
        .text("AdditionalDataPending", end < log.text.len()))
}
