internal import ApusResources

extension AccessKey {
    /// Why the key gives no access to an instance; `nil` when it does.
    func failure(in instance: Instance) -> String? {
        switch obstacle(in: instance) {
        case nil: nil
        case .disabled: "access key \(quoted(id)) is disabled; enable it or use another"
        case .ofAnotherAccount:
            "access key \(quoted(id)) belongs to account \(quoted(account)), instance \(quoted(instance.id)) to "
                + "account \(quoted(instance.account))"
        }
    }

    /// The same for the client, who is not to learn whose the instance is.
    func toldFailure(in instance: Instance) -> String? {
        guard let failure = failure(in: instance) else { return nil }
        return isEnabled
            ? "access key \(quoted(id)) is of another account than instance \(quoted(instance.id))" : failure
    }
}
