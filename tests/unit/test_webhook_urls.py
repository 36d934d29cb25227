"""Where a webhook may be."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import ConfigError, RegisterError
from dialer.webhook_urls import allowed_networks, checked_url, objection

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001::1",
    "2620:fe::fe",
]

REFUSED = [
    *(str(IPv4Address(0)), "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    "255.255.255.255",
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached_with_tls_alone(address: str) -> None:
    """Nothing is objected to them, but without TLS they are not reached."""
    assert objection(ip_address(address), (), plain=False) is None
    assert "without TLS" in str(objection(ip_address(address), (), plain=True))


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Each is refused, with TLS and without, and the text names it."""
    for plain in (False, True):
        why = objection(ip_address(address), (), plain=plain)
        assert why is not None
        assert str(ip_address(address)) in why


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_no_address_passes_that_the_library_knows_better(address: IPv4Address | IPv6Address) -> None:
    """What passes is global by Python's own tables, and no IPv4 address is inside."""
    if objection(address, (), plain=False) is None:
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_link_local, address.is_unspecified))
        if isinstance(address, IPv6Address):
            assert [address.ipv4_mapped, address.sixtofour, address.teredo] == [None] * 3


@given(st.ip_addresses(v=4))
def test_a_disguise_never_passes(inner: IPv4Address) -> None:
    """An IPv4 address written as IPv6, in any known way, is refused though an administrator allows it as IPv4."""
    number = int(inner)
    allowed = (ip_network("0.0.0.0/0"),)
    for outer in (number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert objection(IPv6Address(outer), allowed, plain=False) is not None


def test_allowed_networks_pass_and_no_others() -> None:
    """A network of the settings is reached with TLS and without; its neighbour is not."""
    networks = allowed_networks(["10.1.0.0/16", "fd00::/8"])
    for plain in (False, True):
        assert objection(ip_address("10.1.2.3"), networks, plain=plain) is None
        assert objection(ip_address("fd00::5"), networks, plain=plain) is None
        assert objection(ip_address("10.2.0.1"), networks, plain=plain) is not None


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.1.2.3/8", "intranet", "", "10.0.0.0/8, 127.0.0.0/8", "::/129"])
def test_a_wrong_network_is_named(text: str) -> None:
    """The error says which setting is wrong."""
    with pytest.raises(ConfigError, match=r"webhooks\.allow_networks"):
        allowed_networks([text])


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://crm.example/hook", "https://crm.example/hook"),
        ("HTTPS://CRM.Example/Hook?a=1&b=%20", "https://crm.example/Hook?a=1&b=%20"),
        ("https://crm.example:8443", "https://crm.example:8443"),
        ("https://crm.example:443/", "https://crm.example/"),
        ("https://crm.example./x", "https://crm.example/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://例子.测试/", "https://xn--fsqu00a.xn--0zwm56d/"),
        ("https://ｃｒｍ.example/", "https://crm.example/"),
        ("https://crm。example/", "https://crm.example/"),
        ("https://hook_1.example/", "https://hook_1.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700::1111]:8443/x", "https://[2606:4700:4700::1111]:8443/x"),
        ("https://crm.example/@me", "https://crm.example/@me"),
        ("https://localhost.example/", "https://localhost.example/"),
        ("https://crm.example/" + "x" * 1900, "https://crm.example/" + "x" * 1900),
    ],
)
def test_urls_in_the_form_in_which_they_are_used(url: str, used: str) -> None:
    """Each is accepted, comes out in one form, and that form is its own."""
    assert checked_url(url, ()) == used
    assert checked_url(used, ()) == used


@pytest.mark.parametrize(
    "url",
    [
        # Loopback and metadata, in every spelling that some library reads as such.
        *("https://127.0.0.1/", "https://127.0.0.1./", "https://2130706433/", "https://0x7f000001/"),
        *("https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.1/", "https://127.0.1/"),
        *("https://0/", "https://0.0.0.0/", "https://127.0.0.0x1/", "https://１２７.0.0.1/", "https://①②⑦.0.0.1/"),
        *(
            "https://127。0。0。1/",
            "https://1.1.1.1.1/",
            "https://256.0.0.1/",
            "https://8.8.8.8x.8/",
            "https://08.8.8.8/",
        ),
        *("https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/"),
        *("https://[0:0:0:0:0:ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/"),
        *("https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[v1.x]/", "https://[127.0.0.1]/"),
        *("https://[crm.example]/", "https://[::1", "https://::1/", "https://[2002:7f00:1::]/"),
        *(
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://x.localhost/",
            "https://ⓛocalhost/",
        ),
        *("https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://100.100.100.200/"),
        *("https://10.0.0.1/", "https://192.168.1.1/", "https://metadata.168.63.129.16/", "https://168.63.129.16/"),
        # Who is asked is not who seems to be.
        *("https://user@crm.example/", "https://user:pass@crm.example/", "https://@crm.example/"),
        *("https://crm.example@127.0.0.1/", "https://crm.example:443@127.0.0.1/", "https://crm.example%40127.0.0.1/"),
        *("https://127.0.0.1#@crm.example/", "https://crm.example/#x", "https://crm.example\\@127.0.0.1/"),
        *("https://crm.example\\.evil.example/", "https:\\\\crm.example/", "https://crm.example%00.evil.example/"),
        # No URL of a host.
        *(
            "",
            "x",
            "crm.example",
            "https:crm.example",
            "https:/crm.example",
            "//crm.example/",
            "https://",
            "https:///x",
        ),
        *("https://crm..example/", "https://.example/", "https://-crm.example/", "https://crm-.example/", "https://./"),
        *("https://crm example/", "https://crm.example/ x", "https://crm.example/\n", "https://crm\t.example/"),
        *("https://crm.example/\u202e", "https://cr\u200dm.example/", "https://crm.example/\r\nHost: x", "https://%/"),
        *(f"https://{'a' * 64}.example/", f"https://{'a.' * 200}example/", "https://crm.example/" + "x" * 2000),
        *("https://crm.example/" + "语" * 1000, f"https://{'ü' * 60}.example/", "https://\udc80.example/"),
        # Other schemes and ports.
        *("ftp://crm.example/", "file:///etc/passwd", "gopher://crm.example/", "javascript:alert(1)", "unix:///run/x"),
        *("https://crm.example:0/", "https://crm.example:22/", "https://crm.example:25/", "https://crm.example:65536/"),
        *(
            "https://crm.example:-1/",
            "https://crm.example:4 43/",
            "https://crm.example:x/",
            "https://crm.example:４４３０００/",
        ),
        "http://crm.example/",
        "http://8.8.8.8/",
    ],
)
def test_urls_that_can_be_no_webhooks(url: str) -> None:
    """Each is refused, with a cure, and with no more than a line's worth of what was given."""
    with pytest.raises(RegisterError) as caught:
        checked_url(url, ())
    assert caught.value.cure
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_password_is_not_repeated() -> None:
    """The error about a user in the URL does not show it."""
    with pytest.raises(RegisterError) as caught:
        checked_url("https://user:hunter2@crm.example/", ())
    assert "hunter2" not in str(caught.value)


def test_without_tls_only_where_a_network_is_allowed() -> None:
    """An address outside the allowed networks needs TLS; a name may come to one inside, and is judged again then."""
    networks = allowed_networks(["10.1.0.0/16", "127.0.0.0/8"])
    assert checked_url("http://10.1.2.3:8080/x", networks) == "http://10.1.2.3:8080/x"
    assert checked_url("http://crm.internal/x", networks) == "http://crm.internal/x"
    assert checked_url("http://localhost:8080/", networks) == "http://localhost:8080/"
    for url in ("http://10.2.0.1/", "http://8.8.8.8/", "https://10.2.0.1/"):
        with pytest.raises(RegisterError):
            checked_url(url, networks)


@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://crm.example", "http://[", "https://x.example:"]))
def test_any_text_is_a_url_or_an_error(text: str, before: str) -> None:
    """No text makes anything but a URL that stays as it is, or a `RegisterError`."""
    try:
        used = checked_url(before + text, ())
    except RegisterError:
        return
    assert used.startswith("https://")
    assert used.isascii()
    assert checked_url(used, ()) == used
