//! What nginx, or a program made from it, prints about itself with `-V`.

use std::fmt;

use super::defaults::NginxRelease;

/// The output of `nginx -V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The program.
    pub flavour: Flavour,
    /// The program's own release, as it prints it: `1.22.1`, `1.25.3.1` of OpenResty.
    pub own_release: String,
    /// The release of nginx that it is judged as.
    pub version: NginxRelease,
    /// The TLS library that it runs with: `OpenSSL 3.0.17 1 Jul 2025`.
    pub library: Option<String>,
    /// Its configure arguments.
    pub arguments: Vec<String>,
}

/// nginx, or a program made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// nginx.
    Nginx,
    /// NGINX Plus: nginx with further modules.
    Plus,
    /// OpenResty: nginx with Lua; the fourth number of its release is its own.
    OpenResty,
    /// Tengine: prints the release of nginx that it contains.
    Tengine,
    /// Angie: prints it too.
    Angie,
    /// freenginx: it left nginx at [`FREENGINX`], so later changes of nginx are not in it.
    Freenginx,
    /// A build under another name.
    Other(String),
}

/// The release of nginx that freenginx comes from.
pub const FREENGINX: NginxRelease = NginxRelease::new(1, 25, 4);

impl Build {
    /// Parses the output of `nginx -V` or `nginx -v`, even inside other text; `None` if no line contains a release of
    /// nginx.
    pub fn read(output: &str) -> Option<Self> {
        let (mut named, mut nginx) = (None, None);
        for line in output.lines() {
            let Some((program, rest)) = line.split_once(" version: ") else { continue };
            // Tengine prints nginx's release in parentheses; Angie, on a line of its own.
            if let Some(at) = rest.find("(nginx/") {
                let inner = rest[at + 1..].trim_end_matches([')', '\r']).split(' ').next();
                nginx = nginx.or(inner);
            }
            let word = rest.split_whitespace().next()?;
            if program.ends_with("nginx") {
                nginx = nginx.or(Some(word));
            }
            named = named.or(Some((word, rest)));
        }
        let (named, rest) = named?;
        let (name, own) = named.split_once('/').unwrap_or(("nginx", named));
        let nginx: NginxRelease = nginx?.parse().ok()?;
        let flavour = Flavour::of(name, rest);
        let version = if flavour == Flavour::Freenginx { nginx.min(FREENGINX) } else { nginx };
        Some(Self {
            own_release: plus(rest).unwrap_or(own).to_owned(),
            flavour,
            version,
            library: library(output),
            arguments: output
                .lines()
                .find_map(|line| line.strip_prefix("configure arguments:"))
                .map(|rest| rest.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }

    /// The value of a configure argument: `--conf-path`.
    pub fn argument(&self, name: &str) -> Option<&str> {
        let words = self.arguments.iter();
        words.rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether it was built with OpenSSL's sources (`--with-openssl`), and so contains the library.
    pub fn contains_library(&self) -> bool {
        self.argument("--with-openssl").is_some()
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flavour.name(), self.own_release)?;
        if self.flavour == Flavour::Nginx || self.own_release == self.version.to_string() {
            return Ok(());
        }
        write!(f, " (nginx {})", self.version)
    }
}

impl Flavour {
    fn of(name: &str, rest: &str) -> Self {
        match name {
            "nginx" if plus(rest).is_some() => Self::Plus,
            "nginx" => Self::Nginx,
            "openresty" => Self::OpenResty,
            "Tengine" => Self::Tengine,
            "Angie" => Self::Angie,
            "freenginx" => Self::Freenginx,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Nginx => "nginx",
            Self::Plus => "NGINX Plus",
            Self::OpenResty => "OpenResty",
            Self::Tengine => "Tengine",
            Self::Angie => "Angie",
            Self::Freenginx => "freenginx",
            Self::Other(name) => name,
        }
    }
}

/// The release of NGINX Plus in `nginx/1.25.1 (nginx-plus-r30)`.
fn plus(rest: &str) -> Option<&str> {
    let (_, plus) = rest.split_once("(nginx-plus-")?;
    plus.split(')').next()
}

/// The library that the binary runs with, which may differ from the one that it was built with.
fn library(output: &str) -> Option<String> {
    let line = output.lines().find_map(|line| line.strip_prefix("built with "))?;
    let running = line.split_once("(running with ");
    let running = running.map(|(_, rest)| rest.trim_end().trim_end_matches(')'));
    Some(running.unwrap_or(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, said: &str, version: &str, library: Option<&str>) {
        let build = Build::read(output).unwrap();
        assert_eq!(build.to_string(), said, "{output}");
        assert_eq!(build.version.to_string(), version, "{output}");
        assert_eq!(build.library.as_deref(), library, "{output}");
    }

    #[test]
    fn a_binary_names_its_release_and_its_library() {
        check(
            "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.20 7 Apr 2026 (running with OpenSSL 3.0.22 25 Aug 2026)\n",
            "nginx 1.22.1",
            "1.22.1",
            Some("OpenSSL 3.0.22 25 Aug 2026"),
        );
        check(
            "nginx version: nginx/1.18.0 (Ubuntu)\nbuilt with OpenSSL 1.1.1f  31 Mar 2020\n",
            "nginx 1.18.0",
            "1.18.0",
            Some("OpenSSL 1.1.1f  31 Mar 2020"),
        );
        assert_eq!(Build::read("nginx: command not found"), None);
        assert_eq!(Build::read("Angie version: Angie/1.2.0"), None);
    }

    #[test]
    fn programs_made_from_nginx_are_judged_as_the_nginx_in_them() {
        check(
            "nginx version: openresty/1.25.3.1\r\n",
            "OpenResty 1.25.3.1 (nginx 1.25.3)",
            "1.25.3",
            None,
        );
        check(
            "Tengine version: Tengine/2.3.2 (nginx/1.17.3)\n",
            "Tengine 2.3.2 (nginx 1.17.3)",
            "1.17.3",
            None,
        );
        check(
            "nginx version: nginx/1.25.1 (nginx-plus-r30)\n",
            "NGINX Plus r30 (nginx 1.25.1)",
            "1.25.1",
            None,
        );
        check(
            "Angie version: Angie/1.10.0\nnginx version: nginx/1.27.4\nbuilt with OpenSSL 3.5.0 8 Apr 2025\n",
            "Angie 1.10.0 (nginx 1.27.4)",
            "1.27.4",
            Some("OpenSSL 3.5.0 8 Apr 2025"),
        );
        check(
            "nginx version: freenginx/1.27.1 (110624-almalinux8)\nbuilt with OpenSSL 1.1.1 (compatible; AWS-LC 1.29.0) (running with AWS-LC 1.29.0)\n",
            "freenginx 1.27.1 (nginx 1.25.4)",
            "1.25.4",
            Some("AWS-LC 1.29.0"),
        );
        check("nginx version: NPMplus/1.27.2\n", "NPMplus 1.27.2", "1.27.2", None);
    }
}
