internal import ApusMessage

/// Goes through the steps of a plan without making them, and finds all that cannot be made.
struct PlanRehearsal {
    private(set) var problems: DocumentProblems
    private var state: ResourceState
    /// The administrator that is to take over may be the key that failed.
    private var hasFailedKey = false

    init(_ problems: DocumentProblems, _ directory: ResourceDirectory) {
        self.problems = problems
        state = directory.snapshot
    }

    mutating func make(_ step: PlanDraft.Step) {
        guard !problems.isFull else { return }
        do throws(ResourceError) {
            try ResourceRules.check(step.change, in: state)
            return state.apply(step.change)
        } catch {
            if !follows(error, step.change) { problems.add(step.problem(error)) }
        }
        switch step.change {
        case .putAccessKey: hasFailedKey = true
        case .putInstance(let instance):
            examineFurther(instance, step)
            fallthrough
        // What belongs to it may be right or wrong by itself.
        case .putAccount: state.apply(step.change)
        default: break
        }
    }

    /// Whether the refusal is for what the document has wrong elsewhere.
    private func follows(_ error: ResourceError, _ change: CatalogChange) -> Bool {
        switch (error.kind, change) {
        case (.inUse, _): hasFailedKey || problems.concern("accounts")
        case (.notFound, .putInstance): problems.concernAccountNames
        // That a list is too long is told once for all of it, and of a failed instance the limits are not known.
        case (.overLimit, _): !problems.all.isEmpty
        default: false
        }
    }

    /// An instance without its account may have a wrong name as well.
    private mutating func examineFurther(_ instance: Instance, _ step: PlanDraft.Step) {
        guard state.accounts[ExactText(instance.account)] == nil else { return }
        var state = self.state
        state.apply(.putAccount(Account(name: instance.account, createdAt: 0)))
        do throws(ResourceError) {
            try ResourceRules.check(step.change, in: state)
        } catch {
            problems.add(step.problem(error))
        }
    }
}

extension PlanDraft.Step {
    /// The error with the place of the document that it is about.
    fileprivate func problem(_ error: ResourceError) -> DocumentError.Problem {
        switch (error.kind, change) {
        case (.invalid(let field), _): .init(isName ? place : "\(place).\(field)", error.message)
        case (.notFound, .putInstance(let instance)):
            .init(
                place: "\(place).account",
                error: ResourceError(
                    error.kind,
                    "\(error.message), which instance `\(instance.id.legible(most: 64))` names"
                ),
            )
        default: .init(place: place, error: error)
        }
    }
}
