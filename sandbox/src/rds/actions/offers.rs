//! Describe calls over what RDS offers: engine versions, majors and their support, instance classes, certificates.

use super::Reply;
use crate::{
    rds::{fault::Fault, page::page, params::Params, shapes::time, xml::Xml},
    world::{
        account::Account,
        catalogue::{Catalogue, Engine, EngineVersion, Version},
    },
};

pub(super) fn engine_versions(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&[
        "db-parameter-group-family",
        "engine",
        "engine-mode",
        "engine-version",
        "status",
    ])?;
    let engine = params.get("Engine");
    let version = params.get("EngineVersion");
    let family = params.get("DBParameterGroupFamily");
    let default_only = params.boolean("DefaultOnly")?.unwrap_or(false);
    let all = params.boolean("IncludeAll")?.unwrap_or(false);
    let catalogue = Catalogue::get();
    let mut found: Vec<&EngineVersion> = catalogue
        .versions()
        .iter()
        .filter(|known| engine.is_none_or(|engine| known.engine.name() == engine))
        .filter(|known| all || !known.deprecated)
        // `EngineVersion=14` stands for every 14.x.
        .filter(|known| {
            version.is_none_or(|version| known.text == version || known.version.major.to_string() == version)
        })
        .filter(|known| family.is_none_or(|family| known.engine.family(known.version.major) == family))
        .filter(|known| {
            let family = known.engine.family(known.version.major);
            let status = if known.deprecated {
                "deprecated"
            } else {
                "available"
            };
            filters.allows("db-parameter-group-family", &[&family])
                && filters.allows("engine", &[known.engine.name()])
                && filters.allows("engine-mode", &["provisioned"])
                && filters.allows("engine-version", &[&known.text])
                && filters.allows("status", &[status])
        })
        .collect();
    if default_only {
        found.retain(|known| known.default);
        // Without a version only the engine's one default is meant.
        if version.is_none() && family.is_none() {
            let newest: Vec<_> = Engine::ALL
                .into_iter()
                .filter_map(|engine| found.iter().rfind(|known| known.engine == engine).copied())
                .collect();
            found = newest;
        }
    }
    let (found, marker) = page(found, params, 100)?;
    Ok(Xml::new("")
        .list(
            "DBEngineVersions",
            found
                .into_iter()
                .map(|known| engine_version(account, catalogue, known)),
        )
        .maybe("Marker", marker))
}

fn engine_version(account: &Account, catalogue: &Catalogue, known: &EngineVersion) -> Xml {
    let aurora = known.engine == Engine::Aurora;
    let targets = catalogue.targets(known).into_iter().map(|target| {
        let xml = Xml::new("UpgradeTarget")
            .text("Engine", target.engine.name())
            .text("EngineVersion", &target.text)
            .text("Description", describe(target))
            .text(
                "AutoUpgrade",
                target.default && target.version.major == known.version.major,
            )
            .text(
                "IsMajorVersionUpgrade",
                target.version.major != known.version.major,
            );
        if aurora {
            xml.texts("SupportedEngineModes", "member", ["provisioned"])
                .text("SupportsParallelQuery", false)
                .text("SupportsGlobalDatabases", true)
                .text("SupportsBabelfish", babelfish(target.version))
        } else {
            xml
        }
    });
    Xml::new("DBEngineVersion")
        .text("Engine", known.engine.name())
        .text("MajorEngineVersion", known.version.major)
        .text("EngineVersion", &known.text)
        .text("DBParameterGroupFamily", known.engine.family(known.version.major))
        .text(
            "DBEngineDescription",
            if aurora { "Aurora PostgreSQL" } else { "PostgreSQL" },
        )
        .text("DBEngineVersionDescription", describe(known))
        .text(
            "DBEngineVersionArn",
            format!(
                "arn:aws:rds:{}::engine-version:{}:{}",
                account.region,
                known.engine.name(),
                known.text
            ),
        )
        .list("ValidUpgradeTarget", targets)
        .texts("ExportableLogTypes", "member", ["postgresql"])
        .text("SupportsLogExportsToCloudwatchLogs", true)
        .text("SupportsReadReplica", !aurora)
        .texts(
            "SupportedEngineModes",
            "member",
            ["provisioned"].iter().filter(|_| aurora),
        )
        .texts(
            "SupportedFeatureNames",
            "member",
            ["Lambda", "s3Export", "s3Import"],
        )
        .text(
            "Status",
            if known.deprecated {
                "deprecated"
            } else {
                "available"
            },
        )
        .text("SupportsParallelQuery", false)
        .text("SupportsGlobalDatabases", aurora)
        .text("SupportsBabelfish", aurora && babelfish(known.version))
        .text("SupportsLimitlessDatabase", false)
        .text(
            "SupportsCertificateRotationWithoutRestart",
            known.version.major >= 13,
        )
        .texts("SupportedCACertificateIdentifiers", "member", CAS)
        .text("SupportsLocalWriteForwarding", false)
        .text(
            "SupportsIntegrations",
            known.version >= Version { major: 16, minor: 4 },
        )
}

const CAS: [&str; 3] = ["rds-ca-ecc384-g1", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"];

fn babelfish(version: Version) -> bool {
    version >= Version { major: 13, minor: 4 }
}

fn describe(known: &EngineVersion) -> String {
    match known.engine {
        Engine::Aurora => format!("Aurora PostgreSQL (compatible with PostgreSQL {})", known.text),
        Engine::Postgres => format!("PostgreSQL {}-R1", known.text),
    }
}

pub(super) fn major_versions(_: &Account, params: &Params) -> Reply {
    let engine = params.get("Engine");
    let major = params.get("MajorEngineVersion");
    let found: Vec<_> = Catalogue::get()
        .majors()
        .iter()
        .filter(|(of, version, _)| {
            engine.is_none_or(|engine| of.name() == engine) && major.is_none_or(|major| version == major)
        })
        .collect();
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|(engine, version, support)| {
        let lifecycle = |name: &str, start: String, end: String| {
            Xml::new("SupportedEngineLifecycle")
                .text("LifecycleSupportName", name)
                .text("LifecycleSupportStartDate", start)
                .text("LifecycleSupportEndDate", end)
        };
        let at = |date: jiff::civil::Date, end: bool| {
            let clock = if end { "T23:59:59.999Z" } else { "T00:00:00.000Z" };
            format!("{date}{clock}")
        };
        let standard = lifecycle(
            "open-source-rds-standard-support",
            at(support.start, false),
            at(support.standard_end, true),
        );
        let extended_start = support
            .standard_end
            .tomorrow()
            .expect("support ends before the end of time");
        let extended = lifecycle(
            "open-source-rds-extended-support",
            at(extended_start, false),
            at(support.extended_end, true),
        );
        Xml::new("DBMajorEngineVersion")
            .text("Engine", engine.name())
            .text("MajorEngineVersion", version)
            .list("SupportedEngineLifecycles", [standard, extended])
    });
    Ok(Xml::new("")
        .list("DBMajorEngineVersions", members)
        .maybe("Marker", marker))
}

pub(super) fn orderable(account: &Account, params: &Params) -> Reply {
    let name = params.required("Engine")?;
    let engine =
        Engine::parse(name).ok_or_else(|| Fault::invalid_value(format!("Invalid DB engine: {name}")))?;
    let version = params.get("EngineVersion");
    let class = params.get("DBInstanceClass");
    let catalogue = Catalogue::get();
    let mut rows = Vec::new();
    for known in catalogue.versions() {
        // A retired version is still described here while clusters run on it.
        let asked = version.is_some_and(|version| known.text == version);
        if known.engine != engine || !(asked || version.is_none() && !known.deprecated) {
            continue;
        }
        for found in catalogue.classes(engine, known.version) {
            if class.is_none_or(|class| class == found) {
                rows.push((known, found));
            }
        }
    }
    let (rows, marker) = page(rows, params, 1000)?;
    let aurora = engine == Engine::Aurora;
    let members = rows.into_iter().map(|(known, class)| {
        let zones = ["a", "b", "c"]
            .map(|az| Xml::new("AvailabilityZone").text("Name", format!("{}{az}", account.region)));
        Xml::new("OrderableDBInstanceOption")
            .text("Engine", engine.name())
            .text("EngineVersion", &known.text)
            .text("DBInstanceClass", class)
            .text("LicenseModel", "postgresql-license")
            .list("AvailabilityZones", zones)
            .text("MultiAZCapable", !aurora)
            .text("ReadReplicaCapable", !aurora)
            .text("Vpc", true)
            .text("SupportsStorageEncryption", true)
            .text("StorageType", if aurora { "aurora" } else { "gp3" })
            .text("SupportsIops", !aurora)
            .text("SupportsEnhancedMonitoring", true)
            .text("SupportsIAMDatabaseAuthentication", true)
            .text("SupportsPerformanceInsights", true)
            .list("AvailableProcessorFeatures", [])
            .texts("SupportedEngineModes", "member", ["provisioned"])
            .text("SupportsStorageAutoscaling", !aurora)
            .text("SupportsKerberosAuthentication", true)
            .text("OutpostCapable", false)
            .text("SupportsGlobalDatabases", aurora)
            .text("SupportsClusters", aurora)
            .texts(
                "SupportedActivityStreamModes",
                "member",
                ["sync", "async"].iter().filter(|_| aurora),
            )
            .texts("SupportedNetworkTypes", "member", ["IPV4"])
    });
    Ok(Xml::new("")
        .list("OrderableDBInstanceOptions", members)
        .maybe("Marker", marker))
}

pub(super) fn certificates(account: &Account, params: &Params) -> Reply {
    let wanted = params.get("CertificateIdentifier");
    let found: Vec<_> = CAS
        .into_iter()
        .filter(|ca| wanted.is_none_or(|wanted| wanted == *ca))
        .collect();
    if let (Some(wanted), true) = (wanted, found.is_empty()) {
        return Err(Fault::new(
            404,
            "CertificateNotFound",
            format!("Certificate {wanted} not found"),
        ));
    }
    let (found, marker) = page(found, params, 100)?;
    let from: jiff::Timestamp = "2021-05-21T22:00:00Z".parse().expect("a fixed time");
    let members = found.into_iter().map(|ca| {
        Xml::new("Certificate")
            .text("CertificateIdentifier", ca)
            .text("CertificateType", "CA")
            .text("Thumbprint", "2fe8ff3d5aa8b0c9e0a5a8cd5f1d3f0c0a1b2c3d")
            .text("ValidFrom", time(from))
            .text("ValidTill", "2061-05-21T23:00:00.000Z")
            .text(
                "CertificateArn",
                format!("arn:aws:rds:{}::cert:{ca}", account.region),
            )
            .text("CustomerOverride", false)
    });
    Ok(Xml::new("")
        .text("DefaultCertificateForNewLaunches", "rds-ca-rsa2048-g1")
        .list("Certificates", members)
        .maybe("Marker", marker))
}
