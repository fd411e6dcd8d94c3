//! Errors of opening device files.

use std::fmt;
use std::path::Path;

use crate::screen::Fault;

/// The fault of a device file that cannot be opened. If permission is `denied` it names the group to
/// join.
pub fn unopened(path: &Path, error: &dyn fmt::Display, denied: bool) -> Fault {
    let path_name = path.display();
    let group = denied.then(|| group(path)).flatten();
    Fault::Lost(match group {
        Some(group) => format!(
            "no permission for {path_name}, which belongs to the group {group}: sudo usermod -aG {group} $USER, then log in again"
        ),
        None => format!("cannot open {path_name}: {error}"),
    })
}

/// The name of a file's group, or its number if it has none.
fn group(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let gid = path.metadata().ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    // name:password:number:members
    let mut fields = groups.lines().map(|l| l.split(':'));
    let name = fields.find_map(|mut f| {
        let name = f.next()?;
        (f.nth(1)? == gid).then(|| name.to_owned())
    });
    Some(name.unwrap_or(gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_device_file_names_its_group() {
        let path = Path::new("/dev/null");
        let text = unopened(path, &"no", true).to_string();
        assert!(
            text.starts_with(
                "no permission for /dev/null, which belongs to the group root: sudo usermod -aG root"
            ),
            "{text}"
        );
        let text = unopened(path, &"no such thing", false).to_string();
        assert_eq!(text, "cannot open /dev/null: no such thing");
    }
}
