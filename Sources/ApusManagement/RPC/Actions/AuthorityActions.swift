internal import ApusResources

/// CA certificates (apsaramq-facts 4.4.1, 4.4.10, 4.4.18, 4.4.21, 4.4.22, 4.4.24, 4.4.41).
enum AuthorityActions {
    static let all: [RPCAction] = [
        CertificateAction.action("GetRegisterCode", .manager, []) { call, instance throws(RPCError) in
            do throws(ResourceError) {
                return [
                    "RegisterCode": .string(try AuthorityDesk(service: call.service).registrationCode(of: instance))
                ]
            } catch { throw call.refusal(error) }
        },
        CertificateAction.action("RegisterCaCertificate", .manager, ["CaName", "CaContent", "VerificationContent"]) {
            call,
            instance throws(RPCError) in
            let name = try call.parameters.text("CaName")
            let content = try call.parameters.text("CaContent", most: CertificateAction.mostBytes)
            let verification = try call.parameters.text("VerificationContent", most: CertificateAction.mostBytes)
            let certificate: CACertificate
            do throws(AuthorityRefusal) {
                certificate = try AuthorityDesk(service: call.service).certificate(
                    name: name,
                    content: content,
                    verification: verification,
                    in: instance,
                )
            } catch {
                switch error {
                case .certificate(let message): throw call.parameters.refusal(of: "CaContent", message)
                case .verification(let message): throw call.parameters.refusal(of: "VerificationContent", message)
                case .code(let message): throw RPCError(500, "RegisterCodeError", message)
                case .failed(let error): throw call.refusal(error)
                }
            }
            try call.change(in: instance.id) { () throws(RPCError) in
                [.putCACertificate(try renewed(certificate, call))]
            }
            return ["Sn": .string(certificate.serialNumber)]
        },
        CertificateAction.action("GetCaCertificate", .data, ["Sn"]) { call, instance throws(RPCError) in
            ["Data": json(try existing(call, instance))]
        },
        CertificateAction.action("ListCaCertificate", .data, ["PageNo", "PageSize"]) {
            call,
            instance throws(RPCError) in
            let all = call.directory.caCertificates(of: instance.number)
            return try CertificateAction.page(of: all, call, list: "CaCertificateVOS", json: json)
        },
        CertificateAction.action("ActiveCaCertificate", .manager, ["Sn"]) { call, instance throws(RPCError) in
            try setActive(true, call, instance)
        },
        CertificateAction.action("InactivateCaCertificate", .manager, ["Sn"]) { call, instance throws(RPCError) in
            try setActive(false, call, instance)
        },
        CertificateAction.action("DeleteCaCertificate", .manager, ["Sn"]) { call, instance throws(RPCError) in
            let number = try existing(call, instance).serialNumber
            try call.change([.deleteCACertificate(instance.number, serialNumber: number)], in: instance.id)
            return ["Sn": .string(number)]
        },
    ]

    private static func existing(_ call: RPCCall, _ instance: Instance) throws(RPCError) -> CACertificate {
        let number = try call.parameters.text("Sn", most: 128)
        guard let found = call.directory.caCertificate(instance.number, serialNumber: number) else {
            throw call.parameters.refusal(of: "Sn", "no CA certificate '\(excerpt(number))' is registered")
        }
        return found
    }

    /// The value to store for a certificate that may be registered already, which stays as active as it is.
    private static func renewed(_ certificate: CACertificate, _ call: RPCCall) throws(RPCError) -> CACertificate {
        let known = call.directory.caCertificate(certificate.instance, serialNumber: certificate.serialNumber)
        guard let known else { return certificate }
        guard AuthorityDesk.isSame(known, certificate) else {
            throw call.parameters.refusal(
                of: "CaContent",
                "another CA certificate with the serial number '\(excerpt(certificate.serialNumber))' is registered, "
                    + "'\(excerpt(known.name))'; delete it first, or issue this one with a serial number of its own",
            )
        }
        var renewed = certificate
        renewed.isActive = known.isActive
        return renewed
    }

    private static func setActive(_ isActive: Bool, _ call: RPCCall, _ instance: Instance) throws(RPCError) -> JSONValue
    {
        try call.change(in: instance.id) { () throws(RPCError) in
            var certificate = try existing(call, instance)
            certificate.isActive = isActive
            return [.putCACertificate(certificate)]
        }
        return ["Sn": .string(try call.parameters.text("Sn", most: 128))]
    }

    private static func json(_ certificate: CACertificate) -> JSONValue {
        [
            "Sn": .string(certificate.serialNumber), "CaName": .string(certificate.name),
            "CaContent": .string(certificate.content),
            "VerificationContent": .string(certificate.verificationContent),
            "RegistrationCode": .string(certificate.registrationCode),
            "Status": .string(certificate.isActive ? "1" : "0"),
            "ValidBegin": .string("\(certificate.validFrom)"), "ValidEnd": .string("\(certificate.validUntil)"),
        ]
    }
}
