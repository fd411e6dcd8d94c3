//! From defaults, recipe and command line to the settings of a run.

use std::fmt;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::parse::{check_keys, recipe};
use super::settings::Config;

/// Keys that may change when a run is resumed: they decide how long it runs and what it shows, not
/// what it computes.
const FREE: [&str; 12] = [
    "device",
    "precision",
    "score_every",
    "images",
    "epochs",
    "workers",
    "log_every",
    "grid_every",
    "per_epoch",
    "checkpoint_every",
    "keep",
    "license",
];

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The default.
    Default,
    /// A recipe, by its name on the command line.
    Recipe(String),
    /// The command line.
    Flag,
    /// The run that is resumed.
    Run,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::Recipe(name) => write!(f, "recipe {name}"),
            Origin::Flag => write!(f, "command line"),
            Origin::Run => write!(f, "the run"),
        }
    }
}

/// Overrides settings of `table`. A length in `images` also removes one in `epochs`, which would
/// win.
fn lay_over(table: &mut Table, settings: &Table) {
    if settings.contains_key("images") && !settings.contains_key("epochs") {
        table.remove("epochs");
    }
    table.extend(settings.clone());
}

impl Config {
    /// The settings of a new run: defaults, then the recipe (a name of [`RECIPES`](super::RECIPES) or a TOML file),
    /// then `flags`.
    ///
    /// # Errors
    /// [`ConfigError`] names the recipe, key or value.
    pub fn new(recipe: Option<&str>, flags: &Table) -> Result<Config, ConfigError> {
        let mut table = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        lay_over(&mut table, flags);
        Config::from_table(None, table)
    }

    /// Every setting of [`Config::new`] with its value and origin.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn origins(
        recipe: Option<&str>,
        flags: &Table,
    ) -> Result<Vec<(String, String, Origin)>, ConfigError> {
        let cfg = Config::new(recipe, flags)?.to_table();
        let from = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        let origin = |key: &String| match (flags.contains_key(key), recipe) {
            (true, _) => Origin::Flag,
            (false, Some(recipe)) if from.contains_key(key) => Origin::Recipe(recipe.into()),
            (false, _) => Origin::Default,
        };
        let each = cfg.iter().map(|(key, value)| {
            let origin = origin(key);
            (key.clone(), value.to_string(), origin)
        });
        Ok(each.collect())
    }

    /// The settings that a run folder was started with.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|e| ConfigError::Read(path.into(), e))?;
        let source = path.display().to_string();
        let table: Table = serde_json::from_str(&text)
            .map_err(|e| ConfigError::Syntax(source.clone(), "JSON", e.to_string()))?;
        check_keys(&source, &table)?;
        Config::from_table(Some(&source), table)
    }

    /// The settings of a resumed run: its own, overridden by those that may change.
    ///
    /// # Errors
    /// [`ConfigError::Fixed`] names the first setting that differs but cannot change.
    pub fn go_on(&self, recipe: Option<&str>, flags: &Table) -> Result<Config, ConfigError> {
        let mut asked = match recipe {
            Some(recipe) => self::recipe(recipe)?,
            None => Table::new(),
        };
        lay_over(&mut asked, flags);
        let mut table = self.to_table();
        let new = Config::from_table(None, {
            let mut all = table.clone();
            lay_over(&mut all, &asked);
            all
        })?
        .to_table();
        for key in asked.keys() {
            let show = |t: &Table| t.get(key).map_or("none".into(), Value::to_string);
            if FREE.contains(&key.as_str()) {
                if let Some(value) = new.get(key) {
                    table.insert(key.clone(), value.clone());
                }
            } else if table.get(key) != new.get(key) {
                return Err(ConfigError::Fixed(key.clone(), show(&table), show(&new)));
            }
        }
        if asked.contains_key("images") && !asked.contains_key("epochs") {
            table.remove("epochs");
        }
        Config::from_table(None, table)
    }

    /// As the text of `options.json`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.to_table()).expect("a table of plain values is JSON")
            + "\n"
    }

    /// As a recipe.
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    /// Every setting of a resumed run.
    pub fn kept(&self) -> Vec<(String, String, Origin)> {
        let table = self.to_table();
        let each = table.iter();
        each.map(|(key, value)| (key.clone(), value.to_string(), Origin::Run)).collect()
    }

    fn from_table(file: Option<&str>, table: Table) -> Result<Config, ConfigError> {
        let config: Config = table.clone().try_into().map_err(|e: toml::de::Error| {
            // The error names no key: it is the one that fails alone.
            let fails = |(key, value): &(&String, &Value)| {
                let alone = Table::from_iter([(key.to_string(), (*value).clone())]);
                alone.try_into::<Config>().is_err()
            };
            let key = table.iter().find(fails).map(|(key, _)| key.as_str());
            let place: Vec<&str> = file.into_iter().chain(key).collect();
            ConfigError::Value(place.join(": "), e.message().into())
        })?;
        config.check()?;
        Ok(config)
    }

    /// These settings for gray images: one channel.
    ///
    /// # Errors
    /// [`ConfigError`] if they need color.
    pub fn gray(mut self) -> Result<Config, ConfigError> {
        self.channels = 1;
        self.check()?;
        Ok(self)
    }

    /// These settings for data with these classes.
    ///
    /// # Errors
    /// [`ConfigError`] if a conditional run has fewer than two.
    pub fn classed(mut self, labels: &[String]) -> Result<Config, ConfigError> {
        self.labels = match self.conditional {
            true => labels.to_vec(),
            false => Vec::new(),
        };
        if self.conditional && labels.len() < 2 {
            let got = match labels.len() {
                0 => "true, but the data has no classes".into(),
                _ => "true, but the data has only one class".to_string(),
            };
            let want =
                "false, unless images are in a folder for each class or in arrays with labels";
            return Err(ConfigError::Range("conditional", got, want));
        }
        self.check()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::set;
    use super::super::recipes::RECIPES;
    use super::*;

    fn flags(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn every_recipe_resolves() {
        for (name, _) in RECIPES {
            Config::new(Some(name), &Table::new()).unwrap();
        }
        let tutorial = Config::new(Some("dcgan-tutorial"), &Table::new()).unwrap();
        assert_eq!((tutorial.size, tutorial.nz, tutorial.batch), (64, 100, 128));
        assert_eq!((tutorial.ngf, tutorial.ndf, tutorial.lr), (64, 64, 2e-4));
    }

    #[test]
    fn flags_win_over_the_recipe() {
        let c = Config::new(Some("dcgan-tutorial"), &flags("batch = 7")).unwrap();
        assert_eq!((c.batch, c.ngf), (7, 64));
        // The tutorial's recipe counts epochs; a number of images overrides it.
        let c = Config::new(Some("dcgan-tutorial"), &flags("images = 640")).unwrap();
        assert_eq!(c.total(25_000), 640);
    }

    #[test]
    fn saved_settings_read_back_equal() {
        let c = Config::new(Some("faces"), &flags("data = 'x.zip'\nepochs = 2.5")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("options.json");
        fs::write(&path, c.to_json()).unwrap();
        assert_eq!(Config::load(&path).unwrap(), c);
    }

    #[test]
    fn mistakes_name_the_thing() {
        let cases: [(Result<Config, ConfigError>, &str); 7] = [
            (
                Config::new(Some("dcgan-tutoral"), &Table::new()),
                "no recipe or file named \"dcgan-tutoral\"; did you mean \"dcgan-tutorial\"?",
            ),
            (
                set("--set bach=3", "bach=3").map(|_| Config::default()),
                "--set bach=3: there is no setting \"bach\"; did you mean \"batch\"?",
            ),
            (
                set("--set batch", "batch").map(|_| Config::default()),
                "--set batch: not of the form key=value",
            ),
            (
                Config::new(None, &flags("size = 48")),
                "size is 48: must be 16, 32, 64 or 128 for the network dcgan",
            ),
            (Config::new(None, &flags("batch = 0")), "batch is 0: must be at least 1"),
            (Config::new(None, &flags("lr = -1.0")), "lr is -1: must be above 0"),
            (
                Config::new(None, &flags("beta1 = 1.0")),
                "beta1 is 1: must be at least 0 and below 1",
            ),
        ];
        for (got, want) in cases {
            assert_eq!(got.unwrap_err().to_string(), want);
        }
        let error = Config::new(None, &flags("batch = 'many'")).unwrap_err();
        assert!(error.to_string().contains("many"), "{error}");
    }

    #[test]
    fn a_run_goes_on_with_the_options_it_was_started_with() {
        let was = Config::default();
        let longer = was.go_on(None, &flags("images = 500000")).unwrap();
        assert_eq!(longer.images, 500_000);
        was.go_on(None, &flags("batch = 32")).unwrap();
        let error = was.go_on(None, &flags("batch = 64")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run was started with batch = 32, not 64: give the same options or another --out"
        );
    }
}
