internal import ApusResources

/// Certificates of devices, which register themselves by connecting (apsaramq-facts 2.8, 4.4.2, 4.4.14, 4.4.19, 4.4.23,
/// 4.4.25, 4.4.26).
enum DeviceCertificateActions {
    private static let subject = ["CaSn", "DeviceSn"]

    static let all: [RPCAction] = [
        CertificateAction.action("GetDeviceCertificate", .data, subject) { call, instance throws(RPCError) in
            ["Data": json(try existing(call, instance))]
        },
        CertificateAction.action("ListDeviceCertificate", .data, ["PageNo", "PageSize"]) {
            call,
            instance throws(RPCError) in
            try page(call, instance, caSerialNumber: nil)
        },
        CertificateAction.action("ListDeviceCertificateByCaSn", .data, ["CaSn", "PageNo", "PageSize"]) {
            call,
            instance throws(RPCError) in
            try page(call, instance, caSerialNumber: try call.parameters.text("CaSn", most: 128))
        },
        CertificateAction.action("ActiveDeviceCertificate", .manager, subject) { call, instance throws(RPCError) in
            try setActive(true, call, instance)
        },
        CertificateAction.action("InactivateDeviceCertificate", .manager, subject) { call, instance throws(RPCError) in
            try setActive(false, call, instance)
        },
        CertificateAction.action("DeleteDeviceCertificate", .manager, subject) { call, instance throws(RPCError) in
            let found = try existing(call, instance)
            try call.change(
                [
                    .deleteDeviceCertificate(
                        instance.number,
                        caSerialNumber: found.caSerialNumber,
                        serialNumber: found.serialNumber
                    )
                ],
                in: instance.id,
            )
            return ["DeviceSn": .string(found.serialNumber)]
        },
    ]

    private static func existing(_ call: RPCCall, _ instance: Instance) throws(RPCError) -> DeviceCertificate {
        let authority = try call.parameters.text("CaSn", most: 128)
        let number = try call.parameters.text("DeviceSn", most: 128)
        let found = call.directory.deviceCertificate(instance.number, caSerialNumber: authority, serialNumber: number)
        guard let found else {
            throw call.parameters.refusal(
                of: "DeviceSn",
                "no device certificate '\(excerpt(number))' of the CA '\(excerpt(authority))' is registered",
            )
        }
        return found
    }

    private static func page(
        _ call: RPCCall,
        _ instance: Instance,
        caSerialNumber: String?,
    ) throws(RPCError) -> JSONValue {
        let all = call.directory.deviceCertificates(of: instance.number, caSerialNumber: caSerialNumber)
        return try CertificateAction.page(of: all, call, list: "DeviceCertificateVOS", json: json)
    }

    private static func setActive(_ isActive: Bool, _ call: RPCCall, _ instance: Instance) throws(RPCError) -> JSONValue
    {
        try call.change(in: instance.id) { () throws(RPCError) in
            var certificate = try existing(call, instance)
            certificate.isActive = isActive
            return [.putDeviceCertificate(certificate)]
        }
        return ["DeviceSn": .string(try call.parameters.text("DeviceSn", most: 128))]
    }

    private static func json(_ certificate: DeviceCertificate) -> JSONValue {
        [
            "CaSn": .string(certificate.caSerialNumber), "DeviceSn": .string(certificate.serialNumber),
            "DeviceName": .string(certificate.name), "DeviceContent": .string(certificate.content),
            "Status": .string(certificate.isActive ? "1" : "0"),
            "ValidBegin": .string("\(certificate.validFrom)"), "ValidEnd": .string("\(certificate.validUntil)"),
        ]
    }
}
