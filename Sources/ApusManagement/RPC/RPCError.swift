/// A refusal of the RPC API (apsaramq-facts 4.2, 8.1).
struct RPCError: Error, Equatable {
    var status: Int
    var code: String
    /// What is wrong and what would be right.
    var message: String
    /// Whether the answer carries `x-acs-retry-after`, by which SDKs know that they are too fast.
    var isThrottling = false
    /// Whether the audit log has it already.
    var isRecorded = false

    init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    static func throttled(_ code: String, _ message: String) -> RPCError {
        // Both codes with the status that they are documented with.
        var error = RPCError(code == "SystemOverFlow" ? 500 : 400, code, message)
        error.isThrottling = true
        return error
    }
}

extension RPCError {
    init(_ error: SignatureError) {
        let (status, code) =
            switch error.kind {
            case .missing: (400, "MissingParameter")
            case .malformed: (400, "IncompleteSignature")
            case .unknownKey: (404, "InvalidAccessKeyId.NotFound")
            case .disabledKey: (403, "InvalidAccessKeyId.Inactive")
            case .mismatch: (400, "SignatureDoesNotMatch")
            case .expired: (400, "InvalidTimeStamp.Expired")
            case .replayed: (400, "SignatureNonceUsed")
            case .overflow, .slowed: (500, "SystemOverFlow")
            case .temporaryKey: (400, "CheckAccountInfoFailed")
            }
        self.init(status, code, error.message)
        isThrottling = code == "SystemOverFlow"
    }

    init(_ error: FormError) {
        switch error {
        case .malformed(let name):
            self.init(400, "InvalidParameter", "the parameter '\(name)' is not percent-encoded UTF-8 (RFC 3986)")
        case .duplicate(let name):
            self.init(
                400,
                "InvalidParameter.\(name)",
                "the parameter '\(name)' comes twice; query and form together must hold it once",
            )
        case .tooMany:
            self.init(400, "InvalidParameter", "there are more than \(FormParameters.mostPairs) parameters")
        }
    }
}
