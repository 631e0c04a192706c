package import ApusBroker
package import ApusMessage
internal import FoundationEssentials
internal import MQTTCodec

// Messages of clients to the broker itself (apsaramq-facts 1).
extension ServiceAuthenticator {
    private static let uploadTopic = "$SYS/uploadToken"
    private static let orderTopic = "$SYS/enableOrderMsg"
    /// More than a token with all its resources needs.
    private static let maximumPayloadBytes = 65_535

    package func receivedSystemMessage(
        topic: String,
        payload: [UInt8],
        from principal: Principal,
        now: Timestamp,
    ) -> SystemMessageOutcome? {
        switch topic {
        case Self.uploadTopic: uploadOutcome(payload, principal, now)
        // What is asked for is so without asking: messages of a client keep their order.
        case Self.orderTopic: .accepted
        default: nil
        }
    }

    private func uploadOutcome(_ payload: [UInt8], _ principal: Principal, _ now: Timestamp) -> SystemMessageOutcome {
        guard let grant = principal.grant as? ServiceGrant, case .tokens(var tokens) = grant.proof else {
            return .refused(
                .notAuthorized,
                explanation: "a token was uploaded to a connection that is not of mode Token"
            )
        }
        guard let entry = table.entry(principal.instance) else {
            return .refused(.administrativeAction, explanation: "the instance was deleted")
        }
        let upload: Upload
        do throws(Upload.Malformed) { upload = try Upload(payload, limit: Self.maximumPayloadBytes) } catch {
            let type = tokens.first?.type ?? .readWrite
            return .refused(
                .payloadFormatInvalid,
                explanation: error.sentence,
                notice: TokenNotice.invalid(.forged, type),
            )
        }
        do throws(TokenFailure) {
            let held = try TokenCheck(directory: directory)
                .held(upload.token, upload.type, accessKeyID: tokens.accessKeyID, in: entry, now: now)
            tokens.replace(with: held)
        } catch {
            return .refused(.notAuthorized, explanation: "upload: \(error.sentence)", notice: error.notice)
        }
        var renewed = principal
        renewed.grant = ServiceGrant(.tokens(tokens), certificate: grant.certificate)
        renewed.validUntil = tokens.validUntil
        renewed.noticeAt = tokens.noticeAt
        return .replaced(renewed)
    }

    /// `{"token":"…","type":"R|W|RW"}`; the vendor's pages write the first key in either case.
    private struct Upload {
        struct Malformed: Error {
            var sentence: String
        }

        private struct Document: Decodable {
            var token: String?
            var capitalToken: String?
            var type: String

            enum CodingKeys: String, CodingKey {
                case token, type
                case capitalToken = "Token"
            }
        }

        let token: String
        let type: TokenType

        init(_ payload: [UInt8], limit: Int) throws(Malformed) {
            let form = #"the payload of $SYS/uploadToken is {"token":"…","type":"R, W or RW"}"#
            guard payload.count <= limit else { throw Malformed(sentence: "\(form), at most \(limit) bytes") }
            let document: Document
            do { document = try JSONDecoder().decode(Document.self, from: Data(payload)) } catch {
                throw Malformed(sentence: form)
            }
            guard let token = document.token ?? document.capitalToken, let type = TokenType(rawValue: document.type)
            else {
                throw Malformed(sentence: form)
            }
            self.token = token
            self.type = type
        }
    }
}
