import ApusBroker
import ApusCrypto
import ApusLocks
import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCredentials

/// Two authorities of one name and different keys, and a device's certificate that the first of them issued.
private enum Certificates {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBeTCCAR+gAwIBAgICCgEwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHU2hvcCBD
        QTAgFw0yNjExMjMwMTI3MDZaGA8yMTI2MTAzMDAxMjcwNlowEjEQMA4GA1UEAwwH
        U2hvcCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIo32o/E3PPB2OuM16Mi
        o1zFTWq39IPYdOKvSapOMu54368Wu2yU6gNSmaJ4VGkzeoRyi8QXwAzsUS4PbL7P
        o9ejYzBhMB0GA1UdDgQWBBR4joJWv5JBanzjnFSxMkc11Qp+9DAfBgNVHSMEGDAW
        gBR4joJWv5JBanzjnFSxMkc11Qp+9DAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB
        /wQEAwICBDAKBggqhkjOPQQDAgNIADBFAiAZ2LENvX6G0OAEk32ieITDVjMNfX4d
        dTrYIyxIgwdtQAIhAN+IhFiCg+4AQfR45Xe2tJjjsurqboo9SpXxXP+qXY+x
        -----END CERTIFICATE-----

        """
    static let namesake = """
        -----BEGIN CERTIFICATE-----
        MIIBaTCCAQ+gAwIBAgICCgIwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHU2hvcCBD
        QTAgFw0yNjExMjMwMTI3MDZaGA8yMTI2MTAzMDAxMjcwNlowEjEQMA4GA1UEAwwH
        U2hvcCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEcpjfNojLwCWVGe+jNZ
        yOdAmYTaaHqXgIX0m1JMWCotjs2Phq3cbIEUngGBYudLCeRz5J3dED6PwwYL+i48
        v1+jUzBRMB0GA1UdDgQWBBRrtNhmnAyX2azJ9tDTlqGPcAMoXzAfBgNVHSMEGDAW
        gBRrtNhmnAyX2azJ9tDTlqGPcAMoXzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
        BAMCA0gAMEUCIQCUQpV3a1l3tJSQateg2gUUYD0gTW8agjo0RA6/W0fmzwIgQhvc
        I0katqNm1BpW4mhpiYKeSWSRr+T/FYRtQd+f9bw=
        -----END CERTIFICATE-----

        """
    static let device = """
        -----BEGIN CERTIFICATE-----
        MIIBITCByQIDALfzMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB1Nob3AgQ0EwIBcN
        MjYxMTIzMDEyNzA2WhgPMjEyNjEwMzAwMTI3MDZaMCUxDTALBgNVBAoMBFNob3Ax
        FDASBgNVBAMMC2RldmljZS0wMDAxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
        ZTa6VgF5/h8nMZnappVTHD02HcDEgqi2Q69/Bd/uHl1Q6+k5kBxK64KxBrptPmxT
        SXscrwO9//sGTOuDf0/ImjAKBggqhkjOPQQDAgNHADBEAiAqTkHlYiPtTUFS3K7l
        kdD6VOX2dvWVUzppq535KqqAgAIgSVr2pArznNHDvKgHdDU4rG5D/VNSC3h7a1Rv
        Am2wVFk=
        -----END CERTIFICATE-----

        """
}

@Suite("Client certificates as an additional check")
struct CertificateCheckTests {
    private static func authority(
        _ content: String = Certificates.authority,
        _ serialNumber: String = "0A01",
        isActive: Bool = true,
        validUntil: Int64 = .max,
    ) -> CACertificate {
        CACertificate(
            instance: ServiceFixture.apsaramq,
            serialNumber: serialNumber,
            name: "Shop CA",
            content: content,
            verificationContent: "",
            registrationCode: "",
            isActive: isActive,
            validFrom: 0,
            validUntil: validUntil,
        )
    }

    private static func device(isActive: Bool) -> DeviceCertificate {
        DeviceCertificate(
            instance: ServiceFixture.apsaramq,
            caSerialNumber: "0A01",
            serialNumber: "B7F3",
            name: "device-0001",
            content: Certificates.device,
            isActive: isActive,
            validFrom: 0,
            validUntil: .max,
        )
    }

    private final class Registered: Sendable {
        let certificates = Guarded<[DeviceCertificate]>([])
    }

    private func connect(
        _ service: ServiceFixture,
        _ certificate: [UInt8]?,
        fault: String? = nil,
        secret: String = "apusSecretKey0001",
    ) async -> AuthenticationOutcome {
        await service.connect(
            "Signature|LTAIexampleAK|post-cn-apus00001",
            ServiceFixture.signature(secret),
            certificate: certificate,
            certificateFault: fault,
        )
    }

    private var presented: [UInt8] {
        get throws {
            try #require(Base64.decode(Certificates.device.split(separator: "\n").dropFirst().dropLast().joined()))
        }
    }

    @Test func `a certificate of a registered authority gets in and is registered by itself`() async throws {
        let registered = Registered()
        let service = try ServiceFixture(
            { $0.caCertificates = [Self.authority(Certificates.namesake, "0A02"), Self.authority()] },
            options: { $0.newDeviceCertificate = { new in registered.certificates.withLock { $0.append(new) } } },
        )
        #expect(try await connect(service, presented).principal != nil)
        let new = try #require(registered.certificates.withLock { $0.first })
        #expect((new.caSerialNumber, new.serialNumber, new.name) == ("0A01", "B7F3", "device-0001"))
        #expect(new.isActive && new.validFrom < ServiceFixture.now && new.validUntil > ServiceFixture.now)
        #expect(new.content == Certificates.device)
        service.change(.putDeviceCertificate(new))
        #expect(try await connect(service, presented).principal != nil)
        #expect(registered.certificates.withLock { $0.count } == 1)
    }

    @Test func `it is no proof of who connects`() async throws {
        let service = try ServiceFixture { $0.caCertificates = [Self.authority()] }
        #expect(try await connect(service, presented, secret: "wrong").code == .badUserNameOrPassword)
    }

    @Test(
        arguments: [
            ([authority(Certificates.namesake, "0A02")], nil, "was issued by no CA that is registered with instance"),
            ([authority("no PEM", "0A02")], nil, "was issued by no CA that is registered"),
            ([authority(isActive: false)], nil, "the CA certificate 0A01 is inactive"),
            ([authority(validUntil: 1)], nil, "is not valid at this time"),
            ([authority()], device(isActive: false), "the device certificate B7F3 is inactive"),
            ([authority()], device(isActive: true), nil),
            ([], nil, "was issued by a CA of another instance than `post-cn-apus00001`"),
        ] as [([CACertificate], DeviceCertificate?, String?)]
    )
    func `authority and certificate must be known and active`(
        authorities: [CACertificate],
        device: DeviceCertificate?,
        sentence: String?,
    ) async throws {
        let service = try ServiceFixture {
            $0.caCertificates = authorities
            $0.deviceCertificates = device.map { [$0] } ?? []
        }
        let outcome = try await connect(service, presented)
        if let sentence {
            #expect(outcome.code == .notAuthorized)
            #expect(outcome.explanation.contains(sentence), "\(outcome.explanation)")
        } else {
            #expect(outcome.principal != nil)
        }
    }

    @Test func `one that does not verify is nobody's business where none is checked`() async throws {
        let fault = "unsuitable certificate purpose"
        let checking = try ServiceFixture { $0.caCertificates = [Self.authority()] }
        let refused = try await connect(checking, presented, fault: fault)
        #expect(refused.explanation == "the client certificate does not verify: unsuitable certificate purpose")
        let inactive = try ServiceFixture { $0.caCertificates = [Self.authority(isActive: false)] }
        let first = try await connect(inactive, presented, fault: fault)
        #expect(first.explanation.contains("the CA certificate 0A01 is inactive"))
        #expect(try await connect(ServiceFixture(), presented, fault: fault).principal != nil)
    }

    @Test func `an instance may demand one`() async throws {
        let demanding = try ServiceFixture(
            { $0.caCertificates = [Self.authority()] },
            options: { $0.modes.certificateInstances = ["post-cn-apus00001"] },
        )
        #expect(
            await connect(demanding, nil).explanation
                == "instance `post-cn-apus00001` demands a client certificate, and there is none"
        )
        #expect(try await connect(demanding, presented).principal != nil)
        let without = try ServiceFixture(options: { $0.modes.certificateInstances = ["post-cn-apus00001"] })
        #expect(
            try await connect(without, presented).explanation.contains("has no registered CA certificate to check by")
        )
    }

    @Test func `a certificate that is cut anywhere is none`() async throws {
        let service = try ServiceFixture(
            { $0.caCertificates = [Self.authority()] },
            options: { $0.addressFailures.freeFailures = .max },
        )
        let whole = try presented
        for count in 0..<whole.count {
            #expect(
                await connect(service, Array(whole[..<count])).explanation == "the client certificate cannot be read"
            )
        }
    }

    @Test(
        arguments: [
            (.putDeviceCertificate(device(isActive: false)), "the device certificate B7F3 is inactive"),
            (.putCACertificate(authority(isActive: false)), "the CA certificate 0A01 is inactive"),
            (.deleteCACertificate(ServiceFixture.apsaramq, serialNumber: "0A01"), "was deleted"),
        ] as [(CatalogChange, String)]
    )
    func `what is deactivated ends the connections that came with it`(change: CatalogChange, sentence: String)
        async throws
    {
        let service = try ServiceFixture { $0.caCertificates = [Self.authority()] }
        let with = try #require(try await connect(service, presented).principal)
        let without = try #require(await connect(service, nil).principal)
        let before = service.authorizer.revision.value
        service.change(change)
        #expect(service.authorizer.revision.value > before)
        let now = Timestamp(milliseconds: ServiceFixture.now)
        #expect(service.authorizer.standing(of: without, now: now) == .good)
        guard case .ended(.notAuthorized, let explanation, nil) = service.authorizer.standing(of: with, now: now) else {
            Issue.record("still stands")
            return
        }
        #expect(explanation.contains(sentence))
    }
}
