//! The modules of a crate and which of them uses which.

use std::collections::BTreeMap;

use super::source::Source;

/// The crates whose tree is held to rules.
pub(crate) const CRATES: [&str; 3] = ["projections/src", "ingest/src", "engine/src"];

/// A module of a crate by the names on its way from the root: `["log", "writer"]`.
pub(crate) type Module = Vec<String>;

/// The modules of one crate that lie in files of their own, tests left out.
pub(crate) struct Crate<'a> {
    /// The folder of its root: `engine/src`.
    pub(crate) folder: &'a str,
    pub(crate) modules: BTreeMap<Module, Source<'a>>,
}

impl<'a> Crate<'a> {
    pub(crate) fn read(folder: &'a str, files: &'a BTreeMap<String, String>) -> Self {
        let mut modules = BTreeMap::new();
        for (path, text) in files {
            let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".rs")) else {
                continue;
            };
            let module: Module = match name.trim_start_matches('/') {
                "lib" => Vec::new(),
                "main" => continue,
                name => name.split('/').map(str::to_owned).collect(),
            };
            modules.insert(module, Source::read(text));
        }
        let tests: Vec<Module> = modules
            .iter()
            .flat_map(|(module, source)| source.test_files.iter().map(|name| child(module, name)))
            .collect();
        assert!(!modules.is_empty(), "{folder} has no files");
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { folder, modules }
    }

    /// The file whose code a path names, if it is one of this crate: `use` lines are followed to where the name is defined.
    fn resolve(&self, within: &[String], path: &[&str]) -> Option<Module> {
        self.follow(within, path, 0)
    }

    fn follow(&self, within: &[String], path: &[&str], depth: usize) -> Option<Module> {
        // More than any chain of re-exports has: two that name each other are left to the compiler.
        const FOLLOWED_MAX: usize = 16;
        let (first, mut rest) = path.split_first()?;
        let mut module = match *first {
            "crate" => Module::new(),
            "self" => within.to_vec(),
            "super" => within[..within.len().checked_sub(1)?].to_vec(),
            name => {
                let own = child(within, name);
                if self.modules.contains_key(&own) {
                    own
                } else {
                    let alias = self.modules.get(within)?.aliases.get(name)?;
                    if depth == FOLLOWED_MAX || alias.first() == Some(first) {
                        return None;
                    }
                    return self.follow(within, &[alias, rest].concat(), depth + 1);
                }
            }
        };
        while let Some((next, further)) = rest.split_first() {
            if *next == "super" {
                module.pop()?;
            } else if self.modules.contains_key(&child(&module, next)) {
                module.push((*next).to_owned());
            } else if let Some(alias) = self.modules.get(&module).and_then(|source| source.aliases.get(next))
                && depth < FOLLOWED_MAX
            {
                // A name of another crate: what stands for it here is still this module's.
                return self.follow(&module, &[alias, further].concat(), depth + 1).or(Some(module));
            } else {
                break;
            }
            rest = further;
        }
        // An inline module lies in the file around it.
        while !self.modules.contains_key(&module) {
            module.pop()?;
        }
        Some(module)
    }

    pub(crate) fn has_children(&self, module: &[String]) -> bool {
        self.modules.get(module).is_some_and(|source| !source.children.is_empty())
    }

    /// For every folder, which of its members uses which other, with the first place that does.
    pub(crate) fn folders(&self) -> BTreeMap<Module, Uses> {
        let mut folders: BTreeMap<Module, Uses> = BTreeMap::new();
        for (module, source) in &self.modules {
            for named in &source.paths {
                let within: Module =
                    module.iter().cloned().chain(named.within.iter().map(|&name| name.to_owned())).collect();
                let Some(used) = self.resolve(&within, &named.path) else { continue };
                let shared = module.iter().zip(&used).take_while(|(ours, theirs)| ours == theirs).count();
                let (Some(ours), Some(theirs)) = (module.get(shared), used.get(shared)) else { continue };
                folders
                    .entry(module[..shared].to_vec())
                    .or_default()
                    .entry(ours.clone())
                    .or_default()
                    .entry(theirs.clone())
                    .or_insert_with(|| format!("{}.rs: {}", module.join("/"), named.path.join("::")));
            }
        }
        folders
    }
}

/// Who uses whom in one folder, with a place that shows it.
pub(crate) type Uses = BTreeMap<String, BTreeMap<String, String>>;

pub(crate) fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}
