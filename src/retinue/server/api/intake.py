class Intake:
    def __init__(self, get): self.get = get
    def __call__(self, r): return self.get(r)
