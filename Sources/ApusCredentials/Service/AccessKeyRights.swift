internal import ApusResources

extension AccessKey {
    /// Why the key gives no access to an instance; `nil` when it does.
    func failure(in instance: Instance) -> String? {
        guard isEnabled else { return "access key \(quoted(id)) is disabled; enable it or use another" }
        guard rights == .administrator || account == instance.account else {
            return "access key \(quoted(id)) belongs to account \(quoted(account)), instance \(quoted(instance.id)) to "
                + "account \(quoted(instance.account))"
        }
        return nil
    }

    /// The same for the client, who is not to learn whose the instance is.
    func toldFailure(in instance: Instance) -> String? {
        guard let failure = failure(in: instance) else { return nil }
        return isEnabled
            ? "access key \(quoted(id)) is of another account than instance \(quoted(instance.id))" : failure
    }
}
