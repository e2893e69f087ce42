use std::collections::HashSet;

use crate::token::Rejected;

/// What is refused though its token has not run out: tokens, people, vendors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DenyList(HashSet<String>);

impl DenyList {
    /// One entry a line: `jti:`, `sub:` or `vendor:` and the id as it stands in the token; empty lines and lines with `#` in front
    /// are passed over. Gives the numbers of the lines that are none of these as well: the others hold all the same.
    pub fn parse(text: &str) -> (Self, Vec<usize>) {
        let (mut entries, mut bad) = (HashSet::new(), vec![]);
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            match line.split_once(':') {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some(("jti" | "sub" | "vendor", id)) if !id.is_empty() => {
                    entries.insert(line.to_owned());
                }
                _ => bad.push(number),
            }
        }
        (Self(entries), bad)
    }

    /// Why a token is refused, if it is.
    pub(crate) fn verdict(&self, token: &str, subject: &str, vendor: Option<&str>) -> Result<(), Rejected> {
        let has = |kind: &str, id: &str| self.0.contains(&format!("{kind}:{id}"));
        if self.0.is_empty() {
            Ok(())
        } else if has("jti", token) {
            Err(Rejected::Revoked)
        } else if has("sub", subject) || vendor.is_some_and(|v| has("vendor", v)) {
            Err(Rejected::Suspended)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_and_takes_no_other_with_it() {
        let (list, bad) = DenyList::parse("# left the company\n\n sub:wang \nwang\njti:\nvendor:v-1\nrole:agent\njti:t:1\n");
        assert_eq!(bad, [4, 5, 7]);
        assert_eq!(list.verdict("t:1", "li", None), Err(Rejected::Revoked));
        assert_eq!(list.verdict("t", "wang", None), Err(Rejected::Suspended));
        assert_eq!(list.verdict("t", "li", Some("v-1")), Err(Rejected::Suspended));
        assert_eq!(list.verdict("wang", "t:1", Some("v-2")), Ok(()));
        assert_eq!(DenyList::default().verdict("t:1", "wang", Some("v-1")), Ok(()));
    }
}
