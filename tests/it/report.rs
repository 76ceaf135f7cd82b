//! The page of `report`: complete in itself, escaped, and, in a browser, sorted by a click.

use super::cli::edgeprof;
use std::path::Path;
use std::process::Command;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");
const HOSTILE: &str = "</title><script>document.body.innerHTML='';</script><img src=x onerror=alert(1)>\\\"'&";

/// A data folder in which the model's and the device's names are markup.
fn hostile(folder: &Path) {
    for (kind, file, id) in [("models", "test-model", "model"), ("hardware", "test-board", "board")] {
        let text = std::fs::read_to_string(format!("{DATA}/{kind}/{file}.toml")).unwrap();
        let name = text.lines().find(|line| line.starts_with("name = ")).unwrap();
        let text = text.replacen(name, &format!("name = \"{HOSTILE}\""), 1);
        std::fs::create_dir_all(folder.join(kind)).unwrap();
        std::fs::write(folder.join(kind).join(format!("<b>{id}&.toml")), text).unwrap();
    }
}

fn page(arguments: &[&str]) -> String {
    let output = edgeprof().arg("report").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Several predictions of which some do not fit.
fn usual() -> String {
    page(&[
        "--model",
        "llama-3.2-1b,tinyllama",
        "--hw",
        "pi4-2gb,pi5,orin-nano-super",
        "--prec",
        "fp16,q8_0,q4_0",
        "--title",
        "Boards & models",
    ])
}

#[test]
fn the_page_needs_nothing_else() {
    let page = usual();
    for loaded in ["<link", "@import", "url(", "src=\"", "<iframe", "fetch("] {
        assert!(!page.contains(loaded), "{loaded}");
    }
    assert!(page.contains("Content-Security-Policy"));
    assert!(page.contains("<title>Boards &amp; models</title>"));
    assert!(page.contains("does not fit"));
    assert!(page.contains("edgeprof report --model llama-3.2-1b,tinyllama"));
    assert!(page.contains("--title &#39;Boards &amp; models&#39;") || page.contains("--title 'Boards &amp; models'"));
    assert_eq!(page, usual(), "the same input makes the same bytes");
    #[cfg(feature = "figures")]
    assert!(page.matches("<svg").count() >= 3);
}

#[test]
fn names_that_are_markup_are_text() {
    let folder = tempfile::tempdir().unwrap();
    hostile(folder.path());
    let data = folder.path().to_str().unwrap();
    let page = page(&[
        "--data",
        data,
        "--model",
        "<b>model&",
        "--hw",
        "<b>board&",
        "--prec",
        "q4_0,q8_0",
        "--title",
        HOSTILE,
    ]);
    assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains("<script>document"));
    assert!(page.contains("&lt;b&gt;model&amp;"));
}

/// The page as Chromium leaves it.
fn in_chromium(page: &str, more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(more)
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Errors of the page's script, and what its policy refused.
    let console: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers of a column of the sorted table, as its cells are ordered now.
fn column(dom: &str, title: &str) -> Vec<Option<f64>> {
    let table = dom
        .split("<table class=\"sortable\">")
        .nth(1)
        .unwrap()
        .split("</table>")
        .next()
        .unwrap();
    let (head, body) = table.split_once("</thead>").unwrap();
    let at = head
        .split("<th ")
        .skip(1)
        .position(|cell| cell.contains(&format!(">{title}</button>")))
        .unwrap();
    body.split("<tr")
        .skip(1)
        .map(|row| {
            let cell = row.split("<td").nth(at + 1).unwrap();
            let key = cell.split("data-key=\"").nth(1)?;
            key.split('"').next().unwrap().parse().ok()
        })
        .collect()
}

/// It needs a browser, so it runs where asked for: `cargo test -- --ignored chromium`.
#[test]
#[ignore = "needs chromium"]
fn chromium_renders_the_page_and_a_click_sorts_its_table() {
    let page = usual();
    let clicked = |clicks: usize| {
        let click =
            "[...document.querySelectorAll('th button')].find(b => b.textContent === 'decode tokens/s').click();"
                .repeat(clicks);
        in_chromium(
            &page.replace("</body>", &format!("<script>{click}</script></body>")),
            &[],
        )
    };
    let (unsorted, once, twice, thrice) = (clicked(0), clicked(1), clicked(2), clicked(3));
    assert!(unsorted.contains("<h1>Boards &amp; models</h1>"));
    let rates = |dom: &str| column(dom, "decode tokens/s");
    // What does not fit has no rate, and stays last in either order.
    let (mut sorted, none): (Vec<_>, Vec<_>) = rates(&unsorted).into_iter().partition(Option::is_some);
    assert_eq!((sorted.len(), none.len()), (16, 2));
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let ascending = [sorted.clone(), none.clone()].concat();
    assert_ne!(rates(&unsorted), ascending);
    assert_eq!(rates(&once), ascending);
    assert!(once.contains("aria-sort=\"ascending\""));
    sorted.reverse();
    assert_eq!(rates(&twice), [sorted, none].concat());
    assert_eq!(rates(&thrice), rates(&unsorted), "as it was");
}

/// As above, on names that are markup: had one been read as such, the page would be empty or the console would say so.
#[test]
#[ignore = "needs chromium"]
fn chromium_shows_hostile_names_as_text() {
    let folder = tempfile::tempdir().unwrap();
    hostile(folder.path());
    let data = folder.path().to_str().unwrap();
    let page = page(&[
        "--data",
        data,
        "--model",
        "<b>model&",
        "--hw",
        "<b>board&",
        "--prec",
        "q4_0,q8_0",
        "--title",
        HOSTILE,
    ]);
    let dom = in_chromium(&page, &["--blink-settings=preferredColorScheme=0"]);
    assert!(dom.contains("<section id=\"basis\">") && !dom.contains("<img"));
}
