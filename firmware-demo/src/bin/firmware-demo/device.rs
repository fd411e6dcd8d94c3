//! Device files, and who may open them.

use std::fmt;
use std::path::Path;

use crate::screen::Fault;

/// Why a device file does not open, with the group to be in where it is a matter of permission.
pub fn unopened(path: &Path, error: &dyn fmt::Display, denied: bool) -> Fault {
    let path_name = path.display();
    let group = denied.then(|| group(path)).flatten();
    Fault::Lost(match group {
        Some(group) => format!(
            "no permission for {path_name}: it belongs to the group {group} (sudo usermod -aG {group} $USER, then log in again)"
        ),
        None => format!("cannot open {path_name}: {error}"),
    })
}

/// The name of the group that a file belongs to.
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
    fn who_is_not_allowed_learns_the_group() {
        let path = Path::new("/dev/null");
        let text = unopened(path, &"no", true).to_string();
        assert!(
            text.starts_with(
                "no permission for /dev/null: it belongs to the group root (sudo usermod -aG root"
            ),
            "{text}"
        );
        let text = unopened(path, &"no such thing", false).to_string();
        assert_eq!(text, "cannot open /dev/null: no such thing");
    }
}
