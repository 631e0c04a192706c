"""Certificates of devices: a check besides the login, by authorities that the instance has registered."""

import pathlib
import ssl
import tempfile

import pytest
from Tea.exceptions import TeaException

from apus import eventually
from authorities import Authority
from device import Device, Refused
from service import FIRST, SECOND, Sdk, Service


@pytest.fixture(scope="module")
def authority():
    return Authority("Devices of the shop")


@pytest.fixture(scope="module")
def files(authority):
    """Server certificate, the authorities of clients, and a place for their certificates."""
    with tempfile.TemporaryDirectory(prefix="apus-certificates-") as path:
        folder = pathlib.Path(path)
        server = Authority("Server").issue("localhost", host="localhost")
        (folder / "server.pem").write_text(server.pem)
        (folder / "server.key").write_text(server.key_pem)
        (folder / "clients.pem").write_text(authority.pem)
        yield folder


@pytest.fixture(scope="module")
def secure(files):
    settings = {"certificate": "server.pem", "key": "server.key", "clientCA": "clients.pem"}
    options = [part for name, file in settings.items() for part in ("--set", f"tls.{name}={files / file}")]
    listen = ["mqtt://127.0.0.1:0", "mqtts://127.0.0.1:0"]
    with Service(*options, "--set", "tls.clientCertificate=optional", listen=listen) as running:
        yield running


@pytest.fixture(scope="module")
def registered(secure, authority):
    """The serial number of the registered authority."""
    sdk = Sdk(secure)
    code = sdk("GetRegisterCode", mqtt_instance_id=FIRST).register_code
    return sdk("RegisterCaCertificate", mqtt_instance_id=FIRST, ca_name="shop", ca_content=authority.pem,
               verification_content=authority.issue(code).pem).sn


def connect(secure, files, client_id, certificate, login=None):
    """A connection with TLS, and with this certificate of the client."""
    (files / f"{client_id}.pem").write_text(certificate.pem + certificate.key_pem)
    context = ssl.create_default_context()
    # What the server shows is not what these tests are about.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(files / f"{client_id}.pem")
    return Device(secure, client_id, login, endpoint=secure.endpoint("mqtts"), tls=context)


def test_a_device_registers_itself_and_obeys(secure, files, authority, registered, client_id):
    sdk, certificate = Sdk(secure), authority.issue(client_id)

    def listed():
        page = sdk("ListDeviceCertificateByCaSn", mqtt_instance_id=FIRST, ca_sn=registered, page_no="1",
                   page_size="100").data
        return {entry.device_name: entry for entry in page.device_certificate_vos or []}

    with connect(secure, files, client_id, certificate) as device:
        assert device.still_works("orders/x")
        # The registration is written beside the login, which does not wait for the disk.
        eventually(lambda: client_id in listed(), "the device certificate in the list")
        entry = listed()[client_id]
        assert (entry.status, entry.ca_sn) == ("1", registered)
        where = {"mqtt_instance_id": FIRST, "ca_sn": registered, "device_sn": entry.device_sn}
        data = sdk("GetDeviceCertificate", **where).data
        assert data.device_content.strip() == certificate.pem.strip()
        assert client_id in {each.device_name for each in sdk(
            "ListDeviceCertificate", mqtt_instance_id=FIRST, page_no="1", page_size="100").data.device_certificate_vos}
        assert sdk("InactivateDeviceCertificate", **where).device_sn == entry.device_sn
        device.wait_for_end()
    with pytest.raises(Refused):
        connect(secure, files, client_id, certificate)
    assert sdk("ActiveDeviceCertificate", **where).device_sn == entry.device_sn
    with connect(secure, files, client_id, certificate):
        pass
    assert sdk("DeleteDeviceCertificate", **where).device_sn == entry.device_sn
    assert client_id not in listed()
    # It registers itself again.
    with connect(secure, files, client_id, certificate):
        eventually(lambda: client_id in listed(), "the device certificate in the list again")


def test_an_inactive_authority_lets_none_of_its_devices_in(secure, files, authority, registered, client_id):
    sdk, certificate = Sdk(secure), authority.issue(client_id)
    with connect(secure, files, client_id, certificate) as device:
        sdk("InactivateCaCertificate", mqtt_instance_id=FIRST, sn=registered)
        device.wait_for_end()
    with pytest.raises(Refused):
        connect(secure, files, client_id, certificate)
    sdk("ActiveCaCertificate", mqtt_instance_id=FIRST, sn=registered)
    with connect(secure, files, client_id, certificate):
        pass


def test_a_certificate_does_not_replace_the_login(secure, files, authority, registered, client_id):
    with pytest.raises(Refused):
        connect(secure, files, client_id, authority.issue(client_id), login=("nobody", "x"))


def test_an_authority_is_of_its_instance(secure, registered):
    with pytest.raises(TeaException):
        Sdk(secure)("GetCaCertificate", mqtt_instance_id=SECOND, sn=registered)
