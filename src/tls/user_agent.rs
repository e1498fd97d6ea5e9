//! Which of the known clients a `User-Agent` names, where the program decides what is offered. Command-line tools and
//! libraries that use whatever TLS library is installed (curl, Python) cannot be told so.

use super::profile::{self, Profile};

/// A profile, and the user agents that stand for it: words that all occur, and the word before the version, whose first
/// number lies in the range.
struct UserAgent {
    profile: &'static str,
    words: &'static [&'static str],
    before: &'static str,
    from: u32,
    to: u32,
}

const fn row(
    profile: &'static str,
    words: &'static [&'static str],
    before: &'static str,
    (from, to): (u32, u32),
) -> UserAgent {
    UserAgent { profile, words, before, from, to }
}

const ANY: u32 = u32::MAX;

/// The first row that fits counts: Edge names Chrome, and Chrome names Safari.
const USER_AGENTS: [UserAgent; 21] = [
    row("edge", &[], "Edg/", (79, ANY)),
    row("ie-11-win7", &["Trident/7", "rv:11"], "Windows NT ", (6, 6)),
    row("ie-11-win10", &["Trident/7", "rv:11"], "Windows NT ", (10, 10)),
    row("chrome", &[], "Chrome/", (70, ANY)),
    row("firefox", &["Gecko/"], "Firefox/", (63, ANY)),
    row("android-10", &["Dalvik/"], "Android ", (10, ANY)),
    row("android-7", &["Dalvik/"], "Android ", (7, 9)),
    row("android-6", &["Dalvik/"], "Android ", (6, 6)),
    row("android-5", &["Dalvik/"], "Android ", (5, 5)),
    row("android-4.4", &["Dalvik/", "Android 4.4"], "Android ", (4, 4)),
    row("safari-17", &["Safari/"], "Version/", (17, ANY)),
    row("safari-12", &["Safari/"], "Version/", (12, 16)),
    row("safari-9", &["Safari/"], "Version/", (9, 11)),
    row("java-21", &[], "Java/", (21, ANY)),
    row("java-17", &[], "Java/", (17, 20)),
    row("java-11", &[], "Java/", (11, 16)),
    row("java-21", &[], "Java-http-client/", (21, ANY)),
    row("java-17", &[], "Java-http-client/", (17, 20)),
    row("java-11", &[], "Java-http-client/", (11, 16)),
    // Java 8 has TLS 1.3 since update 261, like Java 11.
    row("java-11", &["Java/1.8.0_"], "1.8.0_", (261, ANY)),
    row("java-8", &["Java/1.8.0_"], "1.8.0_", (0, 260)),
];

/// Java 7 has no update that matters.
const JAVA_7: &[u8] = b"Java/1.7.";

/// The client that a user agent names; `None` if it names none that is known.
pub fn profile(agent: &[u8]) -> Option<&'static Profile> {
    let name = if has(agent, JAVA_7) {
        "java-7"
    } else {
        USER_AGENTS.iter().find(|row| row.fits(agent))?.profile
    };
    profile::all().iter().find(|profile| profile.name == name)
}

impl UserAgent {
    fn fits(&self, agent: &[u8]) -> bool {
        let Some(at) = memchr::memmem::find(agent, self.before.as_bytes()) else { return false };
        let digits =
            agent[at + self.before.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.take(6).fold(None, |sum: Option<u32>, digit| {
            Some(sum.unwrap_or(0) * 10 + u32::from(digit - b'0'))
        });
        number.is_some_and(|number| (self.from..=self.to).contains(&number))
            && self.words.iter().all(|word| has(agent, word.as_bytes()))
    }
}

fn has(agent: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(agent, word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_profile() {
        for row in &USER_AGENTS {
            assert!(
                profile::all().iter().any(|known| known.name == row.profile),
                "{}",
                row.profile
            );
        }
    }

    #[test]
    fn clients_are_told_by_what_they_say() {
        let cases = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
                Some("chrome"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0",
                Some("edge"),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                Some("firefox"),
            ),
            (
                "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
                Some("ie-11-win7"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1",
                Some("safari-12"),
            ),
            ("Dalvik/1.6.0 (Linux; U; Android 4.4.2; GT-I9505)", Some("android-4.4")),
            ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)", Some("android-10")),
            ("Apache-HttpClient/4.5.2 (Java/1.8.0_161)", Some("java-8")),
            ("Java/1.8.0_372", Some("java-11")),
            ("Java/1.7.0_80", Some("java-7")),
            ("Java-http-client/17.0.1", Some("java-17")),
            ("Mozilla/5.0 (Windows NT 6.1) Chrome/49.0.2623.112 Safari/537.36", None),
            ("curl/7.88.1", None),
            ("Java/", None),
            ("", None),
        ];
        for (agent, expected) in cases {
            let found = profile(agent.as_bytes()).map(|profile| &*profile.name);
            assert_eq!(found, expected, "{agent}");
        }
    }
}
