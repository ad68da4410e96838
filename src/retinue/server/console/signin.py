from allauth.account.adapter import DefaultAccountAdapter
class Adapter(DefaultAccountAdapter): pass
