//! The name check that nginx makes of an upstream: OpenSSL's `X509_check_host` without flags.

/// Whether a certificate with these names covers `name`: `X509_check_host` without flags. The common names count only
/// where there are no DNS names, and addresses on the certificate never do.
pub fn covers(dns_names: &[String], common_names: &[String], name: &str) -> bool {
    let patterns = if dns_names.is_empty() { common_names } else { dns_names };
    patterns.iter().any(|pattern| matches(pattern, name))
}

/// `equal_wildcard`.
fn matches(pattern: &str, name: &str) -> bool {
    let star = if name.len() > 1 && name.starts_with('.') { None } else { valid_star(pattern) };
    match star {
        None => pattern.eq_ignore_ascii_case(name),
        Some(at) => wildcard_matches(&pattern[..at], &pattern[at + 1..], name),
    }
}

/// `valid_star`: one star, at the start or end of a first label that is no A-label, with two dots behind it.
fn valid_star(pattern: &str) -> Option<usize> {
    let labels: Vec<&str> = pattern.split('.').collect();
    let (first, others) = labels.split_first()?;
    let plain = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let at = first.find('*')?;
    let rest = first.replacen('*', "", 1);
    let at_edge = at == 0 || at + 1 == first.len();
    let a_label = first.len() >= 4 && first.as_bytes()[..4].eq_ignore_ascii_case(b"xn--");
    let stem = rest.is_empty()
        || (!rest.contains('*')
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !rest.starts_with('-'));
    (at_edge && !a_label && stem && others.len() >= 2 && others.iter().copied().all(plain))
        .then_some(at)
}

/// `wildcard_match`.
fn wildcard_matches(prefix: &str, suffix: &str, name: &str) -> bool {
    let (prefix, suffix, name) = (prefix.as_bytes(), suffix.as_bytes(), name.as_bytes());
    if name.len() < prefix.len() + suffix.len() {
        return false;
    }
    let (start, middle) = name.split_at(prefix.len());
    let (middle, end) = middle.split_at(middle.len() - suffix.len());
    let whole_label = prefix.is_empty() && suffix.starts_with(b".");
    let a_label = name.len() >= 4
        && name[prefix.len().min(name.len() - 4)..]
            .get(..4)
            .is_some_and(|p| p.eq_ignore_ascii_case(b"xn--"));
    start.eq_ignore_ascii_case(prefix)
        && end.eq_ignore_ascii_case(suffix)
        && !(whole_label && middle.is_empty())
        && (whole_label || !a_label)
        && (middle == b"*"
            || middle.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(matches(pattern, name), expected, "{pattern} for {name}");
    }

    #[test]
    fn names_match_as_x509_check_host_matches_them() {
        check("a.test", "A.test", true);
        check("a.test", "a.test.", false);
        check("*.a.test", "b.a.test", true);
        check("*.a.test", "a.test", false);
        check("*.a.test", "c.b.a.test", false);
        check("f*.a.test", "foo.a.test", true);
        check("*o.a.test", "foo.a.test", true);
        check("f*o.a.test", "foo.a.test", false);
        check("*.test", "a.test", false);
        check("*.a_b.test", "c.a_b.test", false);
        check("*.a.test", "x_y.a.test", false);
        check("f*.a.test", "xn--foo.a.test", false);
    }
}
