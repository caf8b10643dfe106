//! What is said before anything is deleted, and when it is done.

use std::fmt::Write as _;

use crate::{
    cli::CleanupArgs,
    facts::rds::{Deployment, Topology},
    output::text::wrap,
    work::record::Task,
};

/// What will be deleted, and what stays.
pub(super) fn card(
    args: &CleanupArgs,
    deployment: Option<&Deployment>,
    blue: &Topology,
    green: Option<&Topology>,
    journal: &std::path::Path,
) -> String {
    let mut card = String::from("\nAbout to delete:\n\n");
    let mut line = |text: &str| {
        let _ = writeln!(card, "  {}", wrap(text, 80, 4));
    };
    if let Some(deployment) = deployment {
        line(&format!(
            "deployment {} ({}), {}",
            deployment.name, deployment.id, deployment.status
        ));
    }
    let of = |side: &Topology| {
        let mut lines = Vec::new();
        if let Some(cluster) = &side.cluster {
            lines.push(format!("cluster {} ({})", cluster.arn, cluster.engine_version));
        }
        for instance in &side.instances {
            let storage = match (&side.cluster, instance.allocated_storage_gib) {
                (None, Some(gib)) => format!(", {gib} GiB"),
                _ => String::new(),
            };
            lines.push(format!("instance {} ({}{storage})", instance.arn, instance.class));
        }
        lines
    };
    let deleted = match (args.delete_old, args.delete_target, green) {
        (true, ..) => of(blue),
        (_, true, Some(green)) => of(green),
        _ => Vec::new(),
    };
    deleted.iter().for_each(|text| line(text));
    match (
        &args.final_snapshot,
        args.no_final_snapshot,
        args.keep_automated_backups,
    ) {
        (Some(name), _, _) => line(&format!("after snapshot {name} is taken and available")),
        (None, true, _) => line("without a snapshot: its data cannot be had again"),
        _ => {}
    }
    if args.delete_old && !args.keep_automated_backups {
        line("with its automated backups: no point in time before green was made can be restored");
    }
    let _ = writeln!(card, "\nStays:\n");
    let stays: Vec<&Topology> = match (args.unwanted, args.delete_old, args.delete_target) {
        (true, _, true) => vec![blue],
        (true, ..) => std::iter::once(blue).chain(green).collect(),
        (false, true, _) => green.into_iter().collect(),
        (false, false, _) => green.into_iter().chain([blue]).collect(),
    };
    for (n, side) in stays.into_iter().enumerate() {
        let role = if n == 0 {
            "production"
        } else {
            "no longer replicated to, and paid for"
        };
        let version = side.engine_version().map(|v| v.to_string()).unwrap_or_default();
        let _ = writeln!(card, "  {} {version}, {role}", side.id());
    }
    if !args.unwanted && !args.delete_old {
        let keep = "The old side can be deleted by greenlight only together with its deployment (--delete-old). As long as it \
                    may be needed as a way back, keep the deployment: without it the old side may be written to.";
        let _ = writeln!(card, "\n{}", wrap(keep, 80, 0));
    }
    let _ = writeln!(card, "\n  journal {}", journal.display());
    card
}

/// What there is to know afterwards.
pub(super) fn after(tasks: &[Task]) -> String {
    let target = tasks.iter().find_map(|task| match task {
        Task::DeleteDeployment { target, .. } => Some(*target),
        _ => None,
    });
    let whole = tasks
        .iter()
        .any(|task| matches!(task, Task::DeleteInstance { .. } | Task::DeleteCluster { .. }));
    let deployment = target.is_some();
    match (whole, target.flatten()) {
        (true, _) if deployment => "DONE  the deployment and the old side are deleted",
        (true, _) => "DONE  the old side is deleted",
        (_, Some(true)) => "DONE  the deployment and green are deleted; production was not touched",
        (_, Some(false)) => {
            "DONE  the deployment is deleted; green is a database of its own now, and costs until it is deleted"
        }
        (_, None) => {
            "DONE  the deployment is deleted. The old side stays and costs; nothing keeps it from being written to any more, \
             so that a client with an old address writes where nobody reads. Delete it when it is not needed as a way back"
        }
    }
    .to_owned()
}
