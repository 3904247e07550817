"""The pages for people: what they show, and that nothing in them can run."""

from tests.registry_server.site import Site

HOSTILE = """# Title <img src=x onerror=alert(1)>
<script>alert(1)</script>
[a](javascript:alert(1)) [b](https://example.com/x) ![c](https://example.com/i.png)
<a href="data:text/html,x" onclick=alert(1)>d</a>

| x | y |
|---|---|
| 1 | `<b>` |
"""


def test_the_list_can_be_searched(site: Site) -> None:
    site.publish("acme/hello")
    site.publish("acme/other")

    whole, found = site.get("/"), site.get("/?q=hello")
    nothing = site.get("/?q=none<script>")

    assert whole.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "2 packages" in whole.text
    assert '<a href="/packages/acme/hello">' in found.text
    assert "acme/other" not in found.text
    assert "none&lt;script&gt;" in nothing.text


def test_a_long_list_has_a_next_page(site: Site) -> None:
    with site.registry.db.write() as tx:
        for number in range(60):
            tx.insert(
                "packages",
                author="acme",
                name=f"p-{number:02}",
                type="plugin",
                created_at=tx.now,
                updated_at=tx.now,
            )

    first = site.get("/?author=acme")
    link = first.text.partition('<a rel="next" href="')[2].partition('"')[0]
    second = site.get(link.replace("&amp;", "&"))

    assert "p-49" in first.text
    assert "p-50" not in first.text
    assert "p-59" in second.text
    assert "p-49" not in second.text


def test_a_package_shows_versions_files_and_readme(site: Site) -> None:
    site.publish("acme/hello", "1.0.0", manifest={"homepage": "https://example.com/?a=1&b"})
    site.publish("acme/hello", "1.1.0", manifest={"license": "MIT & more"})
    site.ask("DELETE", "acme/hello/versions/1.0.0", site.admin, json={"reason": "<i>bad"})
    site.ask(
        "PUT", "acme/hello/versions/1.1.0/deprecation", site.admin, json={"message": "old <b>"}
    )

    newest, former = site.get("/packages/acme/hello"), site.get("/packages/acme/hello/1.0.0")

    assert "<h1>hello</h1>" in newest.text
    assert "MIT &amp; more" in newest.text
    assert "old &lt;b&gt;" in newest.text
    assert 'href="/packages/acme/hello/1.0.0"' in newest.text
    assert 'href="/packages/acme/hello/1.1.0/files/README.md"' in newest.text
    assert "kombuse plugin install acme/hello@1.1.0" in newest.text
    assert "withdrawn: &lt;i&gt;bad" in former.text


def test_a_file_is_shown_as_text(site: Site) -> None:
    site.publish("acme/hello", files={"files/a b#.md": b"<script>alert(1)</script>"})
    page = site.get("/packages/acme/hello")
    assert "/files/files/a%20b%23.md" in page.text

    shown = site.get("/packages/acme/hello/1.0.0/files/files/a%20b%23.md")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text


def test_nothing_of_a_readme_can_run(site: Site) -> None:
    site.publish("acme/hello", files={"README.md": HOSTILE.encode()})

    for text in (
        site.get("/packages/acme/hello").text.partition("<article>")[2].partition("</article>")[0],
        site.get("acme/hello").json()["readme_html"],
    ):
        assert "<h1>" in text
        assert "<td><code>&lt;b&gt;</code></td>" in text
        assert 'href="https://example.com/x"' in text
        assert 'rel="nofollow noopener noreferrer"' in text
        for hostile in ("<script", "<img", 'href="javascript', '<a href="data', "<a onclick"):
            assert hostile not in text


def test_pages_may_load_nothing_but_their_style(site: Site) -> None:
    site.publish("acme/hello")

    for path in ("/", "/packages/acme/hello", "/packages/acme/none", "/none"):
        policy = site.get(path).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "script" not in policy
        assert "<script" not in site.get(path).text
    assert site.get("/registry.css").headers["Content-Type"] == "text/css; charset=utf-8"


def test_a_quarantined_package_is_explained_instead_of_shown(site: Site) -> None:
    site.publish("acme/hello")
    body = {"status": "quarantined", "reason": "malware"}
    site.ask("PUT", "acme/hello/status", site.admin, json=body)

    answer = site.get("/packages/acme/hello")

    assert answer.status_code == 451
    assert "malware" in answer.text
    assert "acme/hello" not in site.get("/").text
