import Testing

@testable import apus

@Suite("Logins of devices")
struct DeviceLoginTests {
    /// The worked examples of apsaramq-facts 2.3.
    @Test(arguments: [
        ("XXXXX", "GID_Test@@@0001", "vI009IZJZVGRwBwZvnbwjfuXxVM="),
        ("apusSecretKey0001", "GID_apus@@@device-0001", "TTUDnFAGAWvlbA0Q6lx26lLGch8="),
        ("DC.deviceSecret0001", "GID_apus@@@device-0001", "esESF17NV9HbM6OVR98iJ8/uRtQ="),
        ("customSecret0001", "GID_apus@@@device-0001", "f5nfQ6QJiNj9rwkkVc3dyUD2T8U="),
    ])
    func `passwords are those of the documents`(secret: String, clientID: String, password: String) {
        for mode in [DeviceLogin.Mode.signature, .device] {
            let login = DeviceLogin(mode: mode, clientID: clientID, instance: "i", name: "k")
            #expect(login.password(secret: secret) == password)
        }
        let custom = DeviceLogin(mode: .custom, clientID: clientID, instance: "", name: "u", isSigned: true)
        #expect(custom.password(secret: secret) == password)
    }

    @Test func `the user name has mode, key and instance`() {
        func name(_ mode: DeviceLogin.Mode) -> String {
            DeviceLogin(mode: mode, clientID: "c", instance: "i", name: "k").userName
        }
        #expect(name(.signature) == "Signature|k|i")
        #expect(name(.token) == "Token|k|i")
        #expect(name(.device) == "DeviceCredential|k|i")
        #expect(name(.custom) == "k")
    }

    @Test func `a custom secret is the password unless it is signed`() {
        #expect(DeviceLogin(mode: .custom, clientID: "", instance: "", name: "u").password(secret: "s") == "s")
    }

    @Test func `tokens stand after their types`() throws {
        #expect(try DeviceLogin.tokens(["R=a", "W=b=="]) == "R|a|W|b==")
        for wrong in [["R"], ["X=a"], ["R="], ["R=a", "R=b"], ["R,W=a"]] {
            #expect(throws: (any Error).self) { try DeviceLogin.tokens(wrong) }
        }
    }

    // MARK: - Diagnosis

    private static let right = "TTUDnFAGAWvlbA0Q6lx26lLGch8="

    private func complaints(
        _ userName: String?,
        _ password: String?,
        clientID: String = "GID_apus@@@1",
    ) -> [String] {
        LoginDiagnosis(clientID: clientID, userName: userName, password: password).complaints
    }

    @Test(arguments: [
        ("Signature|k|i", right), ("DeviceCredential|DC.k|i", right), ("Token|k|i", "R|x|W|y"), ("Token|k|i", "RW|x"),
        ("somebody", "anything"),
    ])
    func `a login of the right form has no complaint`(userName: String, password: String) {
        #expect(complaints(userName, password) == [])
    }

    @Test(arguments: [
        (nil, "no user name"), ("", "no user name"), ("signature|k|i", "spelt Signature"), ("Sign|k|i", "none of"),
        ("Signature|k", "2 parts"), ("Signature|k|i|x", "4 parts"),
        ("Signature||i", "key id in the user name is empty"),
        ("Signature|k|", "instance id in the user name is empty"), ("Signature|k|i ", "a space"),
        ("Signature:k:i", "not separated by '|'"), ("Signature|DC.k|i", "DeviceCredential"),
    ])
    func `a wrong user name is explained`(userName: String?, expected: String) {
        #expect(complaints(userName, Self.right).first?.contains(expected) == true)
    }

    @Test(arguments: [
        ("", "no password"), ("exampleSecret123", "perhaps the secret itself"),
        ("4d35039c5006016be56c0d10ea5c76ea52c6721f", "hexadecimal"), ("TTUDnFAGAWvlbA0Q6lx26lLGch8", "'=' at the end"),
        ("TTUDnFAGAWvlbA0Q6lx26lLGch8=\n", "line end"), ("esESF17NV9HbM6OVR98iJ8_uRtQ=", "URL-safe"),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "SHA-256"), ("1B2M2Y8AsgTpgAmY7PhCfg==", "MD5"),
        ("NGQzNTAzOWM1MDA2MDE2YmU1NmMwZDEwZWE1Yzc2ZWE1MmM2NzIxZg==", "hexadecimal text"),
    ])
    func `a wrong password is explained and not repeated`(password: String, expected: String) {
        let found = complaints("Signature|k|i", password)
        #expect(found.first?.contains(expected) == true)
        #expect(password.isEmpty || !found.joined().contains(password))
    }

    @Test(arguments: ["x", "R", "R|", "X|t", "R|t|R|u", "R,W|t", "R|t|W"])
    func `a wrong password of tokens is explained`(password: String) {
        #expect(complaints("Token|k|i", password).count == 1)
    }

    @Test(arguments: [
        "device", "GID_apus@@device", "GID_apus@@@", "@@@d", "gid_apus@@@d", "GID_ab@@@d",
        "GID_apus@@@" + String(repeating: "x", count: 54), "GID_apus@@@a\tb", "GID_apus@@@a\n",
    ])
    func `a wrong client id is explained`(clientID: String) {
        #expect(ClientIDShape.complaint(clientID) != nil)
        // A password is not wrong for it, and some instances take any client id.
        #expect(complaints("Signature|k|i", Self.right, clientID: clientID).isEmpty)
    }
}
