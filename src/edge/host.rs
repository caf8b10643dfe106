//! Who runs this process on which machine, for records.

/// The user where the environment does not tell: `uid 1000`, or `unknown`.
pub fn uid() -> String {
    #[cfg(unix)]
    if let Ok(own) = std::fs::metadata("/proc/self") {
        return format!("uid {}", std::os::unix::fs::MetadataExt::uid(&own));
    }
    "unknown".to_owned()
}

/// The name of this machine; `unknown` where the system does not tell.
pub fn name() -> String {
    let from_kernel = super::files::read_if_there(std::path::Path::new("/proc/sys/kernel/hostname"));
    let name = match from_kernel {
        Ok(Some(name)) => Some(name),
        _ => {
            let said = std::process::Command::new("hostname").output().ok();
            said.map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        }
    };
    let name = name
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "unknown".to_owned())
}
