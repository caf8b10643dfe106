//! Which accounts and Regions are looked at, and with which credentials.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::super::{Failure, World, target};
use crate::{
    cli::{AwsArgs, FleetArgs},
    edge::{aws, rds::Region},
    fleet::Place,
};

/// A Region of an account.
pub(super) struct Spot {
    /// The role that is assumed.
    pub(super) role: Option<String>,
    /// The Region's name.
    pub(super) region: String,
    /// The Region, or why it cannot be asked.
    pub(super) open: Result<(SdkConfig, Arc<Region>), String>,
}

impl Spot {
    /// As the summary shows it, before anything was found.
    pub(super) fn place(&self) -> Place {
        let account = self.role.as_deref().and_then(|role| role.split(':').nth(4));
        Place {
            account: account.map(str::to_owned),
            role: self.role.clone(),
            region: self.region.clone(),
            databases: 0,
            error: None,
            calls: 0,
            throttled: 0,
            peak_per_second: 0,
        }
    }
}

/// Every combination of role and Region.
///
/// # Errors
/// Where flags are wrong. An account that cannot be reached is a place with an error.
pub(super) async fn open(args: &FleetArgs, world: &World) -> Result<Vec<Spot>, Failure> {
    let flags = AwsArgs {
        region: args.region.first().cloned(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
    };
    let (base, endpoint) = target::aws_config(&flags, world).await?;
    let regions = match (args.region.is_empty(), base.region()) {
        (false, _) => args.region.clone(),
        (true, Some(region)) => vec![region.as_ref().to_owned()],
        (true, None) => return Err(Failure::usage(aws::AwsError::NoRegion.to_string())),
    };
    let roles: Vec<Option<&String>> = match args.account_role.is_empty() {
        true => vec![None],
        false => args
            .account_role
            .iter()
            .map(|r| Some(r).filter(|r| *r != "own"))
            .collect(),
    };
    let mut spots: Vec<Spot> = Vec::new();
    for role in roles {
        let config = match role {
            None => base.clone(),
            Some(role) => aws::assume(&base, role, args.external_id.as_deref())
                .await
                .map_err(|e| Failure::usage(format!("--account-role: {e}")))?,
        };
        for region in &regions {
            let twice = |spot: &Spot| spot.role.as_ref() == role && spot.region == *region;
            if spots.iter().any(twice) {
                continue;
            }
            let open = Region::open(&config, region, endpoint.clone()).await;
            spots.push(Spot {
                role: role.cloned(),
                region: region.clone(),
                open: open
                    .map(|region| (config.clone(), region))
                    .map_err(|e| e.to_string()),
            });
        }
    }
    // One account, and it cannot be asked at all: that is the run's own error, said as `check` says it.
    match &spots[..] {
        [Spot { open: Err(why), .. }] => Err(Failure::blind(why.clone())),
        _ => Ok(spots),
    }
}
