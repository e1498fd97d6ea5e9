//! The paths of the copied files.

/// Replaces `..`, which must not lead out of the folder.
const UP: &str = "_up_";

/// The path in the copy for a file, or for a pattern of files, given its full name.
pub fn place(folder: &str, name: &str) -> String {
    let mut place = format!("{folder}/files");
    for part in name.split('/').filter(|part| !part.is_empty() && *part != ".") {
        place.push('/');
        place.push_str(if part == ".." { UP } else { part });
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(place("/t", "/etc//nginx/./a.conf"), "/t/files/etc/nginx/a.conf");
        assert_eq!(place("/t", "/etc/../../x"), "/t/files/etc/_up_/_up_/x");
        assert_eq!(place("/t", "/etc/nginx/*.conf"), "/t/files/etc/nginx/*.conf");
    }
}
