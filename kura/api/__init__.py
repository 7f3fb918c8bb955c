"""HTTP plumbing: who calls, how often, in which form, and how a refusal is told.

| question | room |
|---|---|
| what is every view made of? | `views.ApiView`: scopes, query, tenancy, retries, headers |
| what may a body hold? | `bodies` (bytes to JSON), `serializers` (JSON to values) |
| how is a refusal told? | `problems`; refusals are `kura.errors.KuraError`, or the framework's |
| who calls? | `authentication` makes a `callers.Caller`; `scopes` says what a role may do |
| lists | `pagination`; versions: `versions`; retries: `idempotency`; limits: `rates` |

Endpoints live with what they are about (`automation/api`, `journeys/api`, `patients/api`); here are
only those about logging in.
"""
