"""What the catalog says about TLS at the listeners: registered authorities and certificates by server name."""

import pathlib
import socket
import ssl
import subprocess
import tempfile

import pytest
from Tea.exceptions import TeaException

from apus import eventually
from authorities import Authority
from device import Device, Refused
from service import FIRST, SECOND, Sdk, Service

# Who is turned away in the handshake may hear of it only when reading.
TURNED_AWAY = (Refused, OSError)


@pytest.fixture(scope="module")
def authority():
    """Of the servers' certificates."""
    return Authority("Servers")


@pytest.fixture(scope="module")
def folder(authority):
    with tempfile.TemporaryDirectory(prefix="apus-registered-") as path:
        folder = pathlib.Path(path)
        write(folder, "server", authority.issue("localhost", host="localhost"))
        (folder / "clients.pem").write_text(Authority("Clients of the file").pem)
        yield folder


def write(folder, name, certificate, password=None):
    (folder / f"{name}.pem").write_text(certificate.pem)
    (folder / f"{name}.key").write_text(certificate.encrypted_key_pem(password) if password else certificate.key_pem)


def serve(folder, *settings):
    options = [f"tls.certificate={folder / 'server.pem'}", f"tls.key={folder / 'server.key'}", *settings]
    return Service(*(part for option in options for part in ("--set", option)),
                   listen=["mqtt://127.0.0.1:0", "mqtts://127.0.0.1:0", "wss://127.0.0.1:0"])


@pytest.fixture(scope="module")
def bare(folder):
    """Listeners for which the configuration says nothing about client certificates."""
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def demanding(folder):
    """Listeners that demand a certificate, and have no authorities of their own."""
    with serve(folder, "tls.clientCertificate=required") as running:
        yield running


@pytest.fixture(scope="module")
def both(folder):
    """Listeners that ask for certificates of a file's authorities."""
    with serve(folder, "tls.clientCertificate=optional", f"tls.clientCA={folder / 'clients.pem'}") as running:
        yield running


class Named(ssl.SSLContext):
    """Asks for this server name, wherever it connects to."""

    def wrap_socket(self, sock, **arguments):
        return super().wrap_socket(sock, **{**arguments, "server_hostname": self.name})


def client_context(authority, folder, certificate=None, name="localhost"):
    context = Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    context.load_verify_locations(cadata=authority.pem)
    if certificate:
        write(folder, "device", certificate)
        context.load_cert_chain(folder / "device.pem", folder / "device.key")
    return context


@pytest.fixture
def connect(authority, folder):
    def connect(service, client_id, certificate=None, login=None, name="localhost", **settings):
        context = client_context(authority, folder, certificate, name)
        return Device(service, client_id, login, endpoint=service.endpoint("mqtts"), tls=context, **settings)

    return connect


def register(sdk, authority, instance=FIRST):
    code = sdk("GetRegisterCode", mqtt_instance_id=instance).register_code
    return sdk("RegisterCaCertificate", mqtt_instance_id=instance, ca_name="shop", ca_content=authority.pem,
               verification_content=authority.issue(code).pem).sn


def registered_devices(sdk, serial_number):
    page = sdk("ListDeviceCertificateByCaSn", mqtt_instance_id=FIRST, ca_sn=serial_number, page_no="1",
               page_size="100").data
    return {entry.device_name for entry in page.device_certificate_vos or []}


def test_a_listener_asks_for_certificates_while_an_authority_is_registered(bare, connect, client_id):
    sdk, shop = Sdk(bare), Authority("Shop")
    device, stranger = shop.issue(client_id), Authority("Stranger").issue(client_id)
    # Nobody asks for it.
    with connect(bare, client_id, device), connect(bare, f"{client_id}-2", stranger):
        pass
    number = register(sdk, shop)
    try:
        with connect(bare, client_id, device) as connection:
            assert connection.still_works("orders/x")
            eventually(lambda: client_id in registered_devices(sdk, number), "the device certificate in the list")
            sdk("InactivateCaCertificate", mqtt_instance_id=FIRST, sn=number)
            connection.wait_for_end()
        sdk("ActiveCaCertificate", mqtt_instance_id=FIRST, sn=number)
        with pytest.raises(Refused) as refused:
            connect(bare, client_id, stranger)
        assert "issued by no CA that is registered" in str(refused.value)
        # The check is FIRST's, and only of what is shown.
        with connect(bare, client_id), connect(bare, client_id, stranger, instance=SECOND):
            pass
        with pytest.raises(Refused) as refused:
            connect(bare, client_id, device, instance=SECOND)
        assert "a CA of another instance" in str(refused.value)
    finally:
        sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)
    with connect(bare, client_id, device):
        pass


def test_an_inactive_authority_is_told_where_another_one_is_active(bare, connect, client_id):
    sdk, shop = Sdk(bare), Authority("Shop")
    numbers = [register(sdk, shop), register(sdk, Authority("Shop"))]
    try:
        with connect(bare, client_id, shop.issue(client_id)):
            sdk("InactivateCaCertificate", mqtt_instance_id=FIRST, sn=numbers[0])
        with pytest.raises(Refused) as refused:
            connect(bare, client_id, shop.issue(client_id))
        assert "is inactive" in str(refused.value)
    finally:
        for number in numbers:
            sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)


def test_a_browser_is_not_asked_unless_it_is_wished_for(bare, both, authority, folder, client_id):
    shop = Authority("Shop")
    for service, is_asked in [(bare, False), (both, True)]:
        number = register(Sdk(service), shop)
        try:
            assert ("Acceptable client certificate CA names" in handshake(service, "wss")) is False
            assert ("Requested Signature Algorithms" in handshake(service, "wss")) is is_asked
        finally:
            Sdk(service)("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)


def handshake(service, scheme):
    """What OpenSSL's client tells of a handshake."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{service.endpoint(scheme).port}"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


def test_the_names_of_authorities_are_told_only_while_there_are_no_registered_ones(both):
    assert "CN = Clients of the file" in handshake(both, "mqtts")
    sdk = Sdk(both)
    number = register(sdk, Authority("Shop"))
    answer = handshake(both, "mqtts")
    assert "No client certificate CA names sent" in answer
    assert "Requested Signature Algorithms" in answer
    sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)
    assert "CN = Clients of the file" in handshake(both, "mqtts")


@pytest.mark.parametrize("kind", ["demanding", "both"])
def test_a_registered_authority_counts_beside_a_file_and_without_one(request, kind, connect, client_id):
    service, shop = request.getfixturevalue(kind), Authority("Shop")
    sdk, device = Sdk(service), shop.issue(client_id)
    with pytest.raises(TURNED_AWAY):
        connect(service, client_id, device)
    number = register(sdk, shop)
    with connect(service, client_id, device) as connection:
        sdk("InactivateCaCertificate", mqtt_instance_id=FIRST, sn=number)
        connection.wait_for_end()
    with pytest.raises(TURNED_AWAY):
        connect(service, client_id, device)
    sdk("ActiveCaCertificate", mqtt_instance_id=FIRST, sn=number)
    with connect(service, client_id, device):
        pass
    sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)
    with pytest.raises(TURNED_AWAY):
        connect(service, client_id, device)


def test_a_registered_authority_counts_after_a_restart_and_a_reload(folder, connect, client_id):
    shop = Authority("Shop")
    device = shop.issue(client_id)
    with serve(folder, "tls.clientCertificate=required") as service:
        register(Sdk(service), shop)
        service.reload()
        with connect(service, client_id, device):
            pass
        service.stop()
        options = [f"tls.certificate={folder / 'server.pem'}", f"tls.key={folder / 'server.key'}",
                   "tls.clientCertificate=required"]
        with Service(*(part for option in options for part in ("--set", option)), resources=None,
                     data=service.data_folder, listen=["mqtts://127.0.0.1:0"]) as again:
            with connect(again, client_id, device):
                pass


def test_a_session_with_a_client_certificate_is_not_resumed(bare, authority, folder, client_id):
    shop = Authority("Shop")
    sdk = Sdk(bare)
    number = register(sdk, shop)
    try:
        for certificate, is_resumed in [(None, True), (shop.issue(client_id), False)]:
            context = client_context(authority, folder, certificate)
            # With TLS 1.2 the ticket comes within the handshake.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with tls_socket(bare, context) as first:
                assert not first.session_reused
                session = first.session
            with tls_socket(bare, context, session=session) as second:
                assert second.session_reused is is_resumed
    finally:
        sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number)


def tls_socket(service, context, **arguments):
    endpoint = service.endpoint("mqtts")
    return context.wrap_socket(socket.create_connection((endpoint.host, endpoint.port)), **arguments)


@pytest.fixture
def shown(bare, authority, folder):
    """The names of the certificate that is shown for a server name."""
    def shown(name):
        context = client_context(authority, folder, name=name)
        context.check_hostname = False
        with tls_socket(bare, context) as connection:
            return [value for _, value in connection.getpeercert()["subjectAltName"]]

    return shown


@pytest.fixture
def identity(bare):
    """A login that only SECOND knows."""
    sdk = Sdk(bare)
    sdk("AddCustomAuthIdentity", instance_id=SECOND, identity_type="USER", username="sni", secret="s",
        sign_mode="ORIGIN")
    yield "sni", "s"
    sdk("DeleteCustomAuthIdentity", instance_id=SECOND, identity_type="USER", username="sni")


def test_a_server_name_has_its_instance_and_its_certificate(bare, authority, connect, shown, identity, client_id):
    sdk, certificates = Sdk(bare), bare.data_folder / "certificates"
    certificates.mkdir()
    write(certificates, "shop-1", authority.issue("shop", host="mqtt.shop.example"), password="hunter2")
    write(certificates, "shop-2", authority.issue("wild", host="*.wild.example"))
    write(certificates, "own", authority.issue("own", host=f"{SECOND}.localhost"))
    # Without a name it is the first instance.
    with pytest.raises(Refused):
        connect(bare, client_id, login=identity)
    sdk("SetSniConfig", mqtt_instance_id=SECOND, default_certificate="own",
        sni_config="mqtt.shop.example#shop-1#hunter2;*.wild.example#shop-2#")
    for name in ["mqtt.shop.example", "a.wild.example", f"{SECOND}.localhost"]:
        # Its certificate is verified by this name.
        with connect(bare, client_id, login=identity, name=name):
            pass
    for name in ["localhost", "other.example", f"{FIRST}.localhost"]:
        assert shown(name) == ["localhost"]
    with pytest.raises(TeaException):
        sdk("SetSniConfig", mqtt_instance_id=FIRST, default_certificate="own", sni_config="MQTT.shop.example#shop-1#")
    sdk("SetSniConfig", mqtt_instance_id=SECOND, default_certificate="own", sni_config="mqtt.shop.example#shop-2#")
    assert shown("mqtt.shop.example") == ["*.wild.example"]
    assert shown("a.wild.example") == ["localhost"]
    # A certificate that is renewed is read again with the configuration.
    write(certificates, "shop-2", authority.issue("renewed", host="mqtt.shop.example"))
    bare.reload()
    assert shown("mqtt.shop.example") == ["mqtt.shop.example"]


@pytest.mark.parametrize("certificate, password, explanation", [
    ("missing", "", "No such file"), ("locked", "wrong", "locked.key"), ("../locked", "", "the id of a certificate"),
    ("locked", "hunter2", None),
])
def test_a_certificate_that_cannot_be_shown_is_told_of(bare, authority, connect, shown, identity, client_id,
                                                       certificate, password, explanation):
    sdk, certificates = Sdk(bare), bare.data_folder / "certificates"
    certificates.mkdir(exist_ok=True)
    write(certificates, "locked", authority.issue("locked", host="locked.example"), password="hunter2")
    before = len(bare.logged())
    sdk("SetSniConfig", mqtt_instance_id=SECOND, default_certificate=certificate,
        sni_config=f"locked.example#{certificate}#{password}")
    told = [line for line in bare.logged()[before:].splitlines() if "certificate.unusable" in line]
    assert shown("locked.example") == [("localhost" if explanation else "locked.example")]
    if explanation:
        assert len(told) == 2 and explanation in told[0] and "hunter2" not in "".join(told)
    else:
        assert told == []


def test_the_names_of_the_service_are_no_instances_own(bare, authority, shown):
    sdk, certificates = Sdk(bare), bare.data_folder / "certificates"
    certificates.mkdir(exist_ok=True)
    write(certificates, "taken", authority.issue("taken", host="taken.example"))
    for name in ("localhost", f"{FIRST}.localhost"):
        with pytest.raises(TeaException) as caught:
            sdk("SetSniConfig", mqtt_instance_id=SECOND, default_certificate="taken",
                sni_config=f"{name}#taken#;taken.example#taken#")
        assert "ParameterFieldCheckFailed" in caught.value.code and name in str(caught.value.message)
    sdk("SetSniConfig", mqtt_instance_id=SECOND, default_certificate="taken",
        sni_config=f"{SECOND}.localhost#taken#;taken.example#taken#")
    assert shown("localhost") == shown(f"{FIRST}.localhost") == ["localhost"]
    assert shown("taken.example") == shown(f"{SECOND}.localhost") == ["taken.example"]
