//! Patches: what a mutant's file says beside what it changes.
//!
//! Before the first hunk stand lines of the form `Rule: …`, a part of what is said when the rule breaks that the
//! mistake breaks, one for each if it may be either of several; and perhaps `Plan: …`, the options of the
//! simulator that kill it soonest.

use std::fs;
use std::path::{Path, PathBuf};

/// A mistake.
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) patch: PathBuf,
    /// What is to kill it.
    pub(super) rules: Vec<String>,
    /// What kills it soonest.
    pub(super) plan: Option<String>,
}

impl Mutant {
    /// All mutants of a folder whose name contains `filter`, in the order of their names.
    pub(super) fn all_in(folder: &Path, filter: &str) -> Result<Vec<Self>, String> {
        let failed = |error| format!("{}: {error}", folder.display());
        let entries = fs::read_dir(folder).map_err(failed)?;
        let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|it| it.path()).collect();
        paths.sort();
        let all = paths.into_iter().map(Self::read).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().filter(|it| it.name.contains(filter)).collect())
    }

    fn read(patch: PathBuf) -> Result<Self, String> {
        let text = fs::read_to_string(&patch);
        let text = text.map_err(|error| format!("{}: {error}", patch.display()))?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (rules, plan) = header(&text);
        if rules.is_empty() {
            return Err(format!("{name} does not say which rule it breaks"));
        }
        Ok(Self { name, patch, rules, plan })
    }

    /// Does its mistake break this rule?
    pub(super) fn breaks(&self, said: &str) -> bool {
        self.rules.iter().any(|rule| said.contains(rule.as_str()))
    }
}

/// The rules and the plan that a patch names.
fn header(text: &str) -> (Vec<String>, Option<String>) {
    let lines = || text.lines().take_while(|line| !line.starts_with("--- "));
    let values = |key| lines().filter_map(move |line| line.strip_prefix(key)).map(String::from);
    (values("Rule: ").collect(), values("Plan: ").next())
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn rules_and_plan_stand_before_the_first_hunk() {
        let text = "Rule: I6\nRule: I1\nPlan: --seeds 9 --cores 4\n--- a/b\nRule: no\n";
        let rules = vec![String::from("I6"), String::from("I1")];
        assert_eq!(header(text), (rules, Some("--seeds 9 --cores 4".into())));
        assert_eq!(header("--- a/b\nPlan: no"), (vec![], None));
    }
}
