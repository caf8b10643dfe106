//! How long each part takes and what running twice costs, each with what it is based on. Where nothing is known it is said
//! what decides it; prices are not invented, since the RDS API has none.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Plan;
use crate::{
    facts::rds::Topology,
    model::{Engine, Replication, count},
};

/// One estimate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// What.
    pub what: String,
    /// How long, or how much.
    pub estimate: String,
    /// What it is based on.
    pub based_on: String,
}

fn one(what: &str, estimate: String, based_on: &str) -> Estimate {
    Estimate {
        what: what.to_owned(),
        estimate,
        based_on: based_on.to_owned(),
    }
}

/// How long.
pub(super) fn durations(plan: &Plan) -> Vec<Estimate> {
    let mut all = Vec::new();
    let in_place = plan.hops.iter().filter(|hop| !hop.blue_green).count();
    if in_place > 0 {
        all.push(one(
            "minor upgrade in place",
            match in_place {
                1 => "an outage of minutes: one restart".to_owned(),
                n => format!("{n} outages of minutes: one restart each"),
            },
            "a minor upgrade changes no data; crash recovery and activity at that moment decide: \
             https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RebootInstance.html",
        ));
    }
    if !plan.reboots.is_empty() {
        all.push(one(
            "reboots for static parameters",
            format!(
                "{}, one after the other, usually a minute or two each",
                count(plan.reboots.len(), "instance")
            ),
            "one restart each; long transactions and many connections make it longer",
        ));
    }
    let physical = plan.replication == Replication::Physical;
    // Only the upgrade of a major (pg_upgrade) goes over all objects.
    let objects = match physical {
        true => "",
        false => " and with the number of objects",
    };
    let (built, based_on) = match plan.engine {
        Engine::Aurora => (
            "minutes to about an hour, whatever the size of the data".to_owned(),
            "green's volume is a copy-on-write clone; the upgrade in it (pg_upgrade) grows with the number of objects: \
             https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-overview.html",
        ),
        _ => (
            match plan.storage_gib {
                Some(gib) => format!("grows with the {gib} GiB of storage{objects}"),
                None => format!("grows with the storage{objects}"),
            },
            "green begins as a read replica from a snapshot, whose blocks are loaded when they are first read: \
             https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-overview.html",
        ),
    };
    all.push(one("building green", built, based_on));
    all.push(one(
        "catching up",
        match physical {
            true => "not known before: the log that blue writes meanwhile, replayed as by a read replica",
            false => "not known before: what blue writes meanwhile, applied by one worker a database",
        }
        .to_owned(),
        "measured while it goes on: greenlight watch tells the time that is left",
    ));
    all.push(one(
        "switchover",
        "no writes for usually less than a minute, at most the time-out of 300 s, after which RDS rolls back"
            .to_owned(),
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html",
    ));
    all
}

/// What is paid twice while green lives.
pub(super) fn twice(plan: &Plan, blue: &Topology) -> Vec<Estimate> {
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    for instance in &blue.instances {
        *classes.entry(&instance.class).or_default() += 1;
    }
    let members = classes.iter().map(|(class, n)| format!("{n} × {class}"));
    let members = members.collect::<Vec<_>>().join(" + ");
    let mut all = vec![one(
        "instances",
        format!("{members}, each hour that green lives, besides blue's own"),
        "green has the same members and classes; a night of 12 h is 12 × their hourly price in this Region",
    )];
    all.push(match plan.engine {
        Engine::Aurora => one(
            "storage",
            "only pages that differ from blue's, which grow with what is written; I/O of both sides"
                .to_owned(),
            "a clone shares its source's pages until they change: \
             https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Clone.html",
        ),
        _ => one(
            "storage",
            match plan.storage_gib {
                Some(gib) => {
                    format!("{gib} GiB again, with their IOPS and throughput where they are provisioned")
                }
                None => "the same storage again".to_owned(),
            },
            "AllocatedStorage of blue's members",
        ),
    });
    if plan.extended {
        all.push(one(
            "Extended Support",
            match plan.source.major == plan.target().major {
                true => format!(
                    "each vCPU and hour of both sides after the end of standard support; {} stays, and so does the charge",
                    plan.source.major
                ),
                false => "each vCPU and hour of a side that runs a major after its standard support; it ends with the \
                          upgrade"
                    .to_owned(),
            },
            "the end of standard support above: \
             https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html",
        ));
    }
    all
}
