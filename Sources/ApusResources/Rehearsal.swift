internal import ApusMessage

extension ResourceState {
    /// Checks a transaction: each change against what those before it leave.
    ///
    /// Changes a copy of the tables that the transaction touches, unless it is one change only.
    static func rehearse(
        _ changes: [CatalogChange],
        in state: ResourceState,
    ) throws(ResourceError) {
        if changes.count == 1 {
            return try ResourceRules.check(changes[0], in: state)
        }
        var state = state
        var unnamed = 0
        for change in changes {
            try ResourceRules.check(change, in: state)
            if case .putInstance(var instance) = change, instance.number == .none {
                // No other change names it; numbers from the end do not meet those that are named.
                unnamed += 1
                instance.number = .provisional(.max - unnamed)
                state.apply(.putInstance(instance))
            } else {
                state.apply(change)
            }
        }
    }
}
